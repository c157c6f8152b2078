"""What a partner must offer, and its limits as attributes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.utils.functional import Promise

from integrations.contract.playground import Playground
from integrations.contract.values import (
    AdAccountInfo,
    AudienceDraft,
    AudienceInfo,
    Link,
    LookalikeDraft,
    LookalikeOffer,
    OperationName,
    PartnerUser,
    Quota,
    Receipt,
    Tokens,
)


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
