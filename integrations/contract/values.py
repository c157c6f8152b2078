"""What a partner takes and gives: plain values."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from django.utils.functional import Promise

OperationName = Literal["add", "remove"]


@dataclass(frozen=True)
class Quota:
    """How many requests a partner lets the whole app make in any span of so many seconds, over all of its people."""

    name: str  # what people call it, such as "Trial access"
    calls: int
    seconds: float


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
