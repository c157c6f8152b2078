"""What a partner must offer, and its limits as attributes.

A partner is plain Python: values in, values or a PartnerError (errors.py) out. It knows no model, keeps no state and
never waits by itself: pace, retries, storage and whom to tell are the business of its caller. Right before each of its
requests leaves, it asks the `door`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils.functional import Promise

OperationName = Literal["add", "remove"]
Errand = Literal["write", "read", "token"]  # what a request is for: audiences changed, something read, tokens


@dataclass(frozen=True)
class Quota:
    """How many requests a partner lets the whole app make in any span of so many seconds, over all of its people."""

    name: str  # what people call it, such as "Trial access"
    calls: int
    seconds: float


# Asked with a partner's slug for one request; may wait a little, or raise RateLimited. What it returns is called when
# the request has left.
Keeper = Callable[[str, Errand], Callable[[], None] | None]


class Door:
    """What every request passes right before it leaves; whoever paces requests keeps it.

    A write passes when its connection stands and only its bytes are left to go: what comes before takes its time, and
    a request that arrives late crowds the next.
    """

    def __init__(self) -> None:
        self._keeper: Keeper | None = None

    def keep(self, keeper: Keeper) -> None:
        """Have `keeper` asked from now on."""
        self._keeper = keeper

    def leave(self, partner_slug: str, errand: Errand) -> Callable[[], None]:
        """Return when the request may leave, with what to call when its bytes have. Raises RateLimited instead."""
        gone = self._keeper(partner_slug, errand) if self._keeper is not None else None
        return gone or (lambda: None)


door = Door()


@dataclass(frozen=True)
class Tokens:
    """What consent or a refresh gave. A partner that keeps its refresh token answers with the old one."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_lifetime: timedelta
    refresh_lifetime: timedelta | None
    scopes: frozenset[str]


@dataclass(frozen=True)
class PartnerUser:
    """The person at the partner whose token it is."""

    id: str
    name: str


@dataclass(frozen=True)
class AdAccountInfo:
    id: str
    name: str
    country: str
    currency: str
    roles: tuple[str, ...]
    may_write: bool  # whether these roles suffice to manage audiences


@dataclass(frozen=True)
class AudienceInfo:
    """An audience that users can be written to, or a lookalike, which the partner fills by itself."""

    id: str
    target_id: str  # what `send` writes to; "" of a lookalike
    name: str
    status: str
    size: int | None  # None: hidden or not known yet
    description: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class AudienceDraft:
    """An audience on its way into being; each `create_audience` call makes one step and fills in one id."""

    name: str
    description: str = ""
    target_id: str = ""
    id: str = ""
    began_at: datetime | None = None  # nothing older can be a trace of this draft

    @property
    def done(self) -> bool:
        return bool(self.id)


@dataclass(frozen=True)
class LookalikeOffer:
    """What a partner takes that makes audiences of people who resemble those of another audience."""

    name: str  # what it calls such an audience
    countries: tuple[str, ...]  # of two letters, besides the ad account's own
    percents: range  # of a country's people: the smallest are the most alike


@dataclass(frozen=True)
class LookalikeDraft:
    """An audience of people who resemble those of another one, to be made in one request."""

    name: str
    seed_id: str
    country: str
    percent: int
    began_at: datetime | None = None  # nothing older can be a trace of this draft


@dataclass(frozen=True)
class Receipt:
    """The partner accepted one request."""

    http_status: int


@dataclass(frozen=True)
class Link:
    """An outside page, such as the terms to accept."""

    label: str | Promise
    url: str


# Faults that every playground knows, so that a story can be told at any of them.
OUTAGE = "outage"  # every call fails; `seconds` until it ends by itself
DELETE_AUDIENCE = "delete_audience"  # `audience_id`


@dataclass(frozen=True)
class Fault:
    """Something that can be broken on purpose at a partner's playground."""

    name: str
    label: str
    meaning: str  # one sentence
    parameters: dict[str, Any] = field(default_factory=dict)  # with their defaults
    at_once: bool = False  # done when it is asked for: nothing stays broken, nothing can be mended
    labels: dict[str, str] = field(default_factory=dict)  # what people call the parameters


class Playground(ABC):
    """A bundled stand-in for a partner: for trying things out, and the witness of tests."""

    url: str  # its page for people

    @abstractmethod
    def faults(self) -> list[Fault]:
        """Return what can be broken."""

    @abstractmethod
    def active(self) -> list[dict[str, Any]]:
        """Return the faults at work now: `fault` and `parameters`, and in `label` and `labels` what people call them.

        Raises PartnerError when the playground does not answer.
        """

    @abstractmethod
    def break_it(self, fault: str, parameters: dict[str, Any]) -> int | None:
        """Return the number by which this fault alone is mended; None for one that is done at once.

        Raises InvalidSettings with a sentence for people where a parameter makes no sense.
        """

    @abstractmethod
    def mend(self, number: int | None = None, *, name: str = "") -> None:
        """End the fault of this number, those of this name, or every one that can be ended. Safe to repeat."""

    @abstractmethod
    def records(self, audience_id: str) -> int | None:
        """Return how many records the audience holds this very moment, each once; None when there is none such."""

    @abstractmethod
    def requests(self, since: float) -> list[dict[str, Any]]:
        """Return the requests seen since that epoch time: time, user, method, path, status, records, ads_write."""

    @abstractmethod
    def consent(self, consent_url: str, person: str = "") -> str:
        """Say yes on the consent page, as a person would, and return the address the browser is sent to.

        `person` is the partner's id of who says yes; the first who is offered if not given. Raises PartnerError, also
        where that page is not the playground's: nobody says yes for a real person.
        """


class AudiencePartner(ABC):
    """A technology partner that has audiences. One subclass per partner, named in settings.AUDIENCE_PARTNERS."""

    slug: str  # in URLs, in Connection.partner, and the template folder integrations/<slug>/
    name: str
    tagline: str | Promise
    terms: tuple[Link, ...]
    requirements: tuple[str | Promise, ...]
    scopes: frozenset[str]
    match_fields: tuple[str, ...] = ("email", "idfa", "gaid")

    users_per_request: int
    records_per_request: int
    seconds_between_writes: float  # between the starts of two write requests of one partner user
    seconds_between_reads: float = 0.0  # the same for what is only read; reads have a pace of their own
    longest_name: int  # characters, of an audience
    smallest_reported_size: int  # the partner hides the size of a smaller audience
    lookalikes: LookalikeOffer | None = None  # with an offer, the two calls for them are there, too
    placeholders: int = 0  # records that creating an audience puts into it and that match nobody
    refresh_before: timedelta  # refresh a token that has less than this to live

    @property
    def quota(self) -> Quota | None:
        """Return the limit of the whole app, beside that of each person; None where there is no such limit."""
        return None

    # -- consent and tokens

    @abstractmethod
    def consent_url(self, *, redirect_uri: str, state: str) -> str: ...

    @abstractmethod
    def exchange(self, *, code: str, redirect_uri: str) -> Tokens: ...

    @abstractmethod
    def refresh(self, refresh_token: str) -> Tokens:
        """Raises NeedsReconnect when the refresh token is dead."""

    @abstractmethod
    def revoke(self, tokens: Iterable[str]) -> None:
        """Take back what can be taken back. Raises PartnerError; a token that is dead already is no error."""

    # -- reading

    @abstractmethod
    def me(self, access_token: str) -> PartnerUser: ...

    @abstractmethod
    def ad_accounts(self, access_token: str) -> Iterator[AdAccountInfo]: ...

    @abstractmethod
    def audiences(self, access_token: str, ad_account_id: str) -> Iterator[AudienceInfo]:
        """Yield the customer-list audiences and the lookalikes of an ad account, newest first, reading page by page."""

    @abstractmethod
    def audience(self, access_token: str, ad_account_id: str, audience_id: str) -> AudienceInfo:
        """Raises AudienceGone."""

    # -- writing: each call is one write request, and leaves by the `door`

    @abstractmethod
    def create_audience(self, access_token: str, ad_account_id: str, draft: AudienceDraft) -> AudienceDraft:
        """Make the next step towards the audience and return the draft with one more id. See AudienceDraft."""

    @abstractmethod
    def find_draft(self, access_token: str, ad_account_id: str, draft: AudienceDraft) -> AudienceDraft:
        """Return the draft with the ids that an earlier, unanswered `create_audience` left at the partner.

        Reads only. Called before a creation that may have been cut off is taken up again.
        """

    @abstractmethod
    def send(
        self,
        access_token: str,
        ad_account_id: str,
        target_id: str,
        operation: OperationName,
        records: list[str],
    ) -> Receipt:
        """Add or remove these records in one request. Idempotent at the partner; raises PartnerError."""

    # -- audiences that resemble another one: only where `lookalikes` says that they are offered

    def create_lookalike(self, access_token: str, ad_account_id: str, draft: LookalikeDraft) -> str:
        """Make the audience in one write request that leaves by the `door`; return its id."""
        raise NotImplementedError(f"{self.name} offers no lookalikes.")

    def find_lookalike(self, access_token: str, ad_account_id: str, draft: LookalikeDraft) -> str:
        """Return the id that an earlier, unanswered `create_lookalike` left there; "" if it left none. Reads only."""
        raise NotImplementedError(f"{self.name} offers no lookalikes.")

    # -- trying things out

    def playground(self) -> Playground | None:
        """Return the bundled stand-in when this installation talks to one."""
        return None
