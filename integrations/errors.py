"""What can go wrong at a partner, named by what to do next.

The class decides (MEANINGS, below); `code` names it for people, and reasons.py has the name, the cause and the way out;
`http_status` is for the record only. Which answer of a partner is which class is the partner's own table
(integrations/<partner>/answers.py).
"""

import enum
from dataclasses import dataclass
from datetime import timedelta


class PartnerError(Exception):
    """Base: try again later, nobody needs to be told."""

    code = "partner_unavailable"

    def __init__(
        self, message: str = "", *, http_status: int | None = None, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message or self.code)
        self.http_status = http_status
        self.retry_after = retry_after

    @property
    def meaning(self) -> "Meaning":
        """Return what this error means for those who wait."""
        return MEANINGS[type(self)]


class Unavailable(PartnerError):
    """Outage, timeout, cut connection, an answer that makes no sense. Never read as "gone"."""


class RateLimited(PartnerError):
    """Slow down for this partner user; `retry_after` when the partner said how long. No failure of any user."""

    code = "rate_limited"


class NeedsReconnect(PartnerError):
    """The token is dead: stop calling until a person reconnects."""

    code = "invalid_token"


class AccessLost(PartnerError):
    """The connected person has no rights on this ad account any more."""

    code = "ad_account_access"


class AudienceGone(PartnerError):
    """The audience or what it stands on was deleted at the partner."""

    code = "audience_gone"


class TermsNotAccepted(PartnerError):
    """The partner wants its terms accepted for this ad account."""

    code = "terms_not_accepted"


class InvalidSettings(PartnerError):
    """The request was wrong though it carried no bad record: our mistake or a setting's."""

    code = "invalid_settings"


class ContentRefused(PartnerError):
    """A request was refused because of its content: split it until the bad record stands alone."""

    code = "record_refused"


class ConsentFailed(PartnerError):
    """The code or the state of a consent was refused; start again."""

    code = "consent_failed"


class Told(enum.Enum):
    """Whom it concerns."""

    NOBODY = enum.auto()  # it passes by itself; pages say what holds users up
    PAGES = enum.auto()  # a person must act: pages and the log say so
    LETTER = enum.auto()  # the same, and whoever connected gets one e-mail


class Follows(enum.Enum):
    """What changes beyond the one request."""

    NOTHING = enum.auto()
    SLOWER = enum.auto()  # the pace of the partner user
    CONNECTION_BROKEN = enum.auto()  # no call until somebody reconnects
    AD_ACCOUNT_LOST = enum.auto()  # until the partner lets a request through again
    AUDIENCE_GONE = enum.auto()  # the same


@dataclass(frozen=True)
class Meaning:
    """What an error means for the users of a request."""

    retried: bool  # by itself, until the 13 hours are over; else the request is split, and who is alone errors at once
    spends: bool  # whether the wait counts towards the 13 hours
    told: Told
    follows: Follows


# One row for each class; nothing else decides.
# fmt: off  a table is read by its columns
MEANINGS: dict[type[PartnerError], Meaning] = {
    #                         retried spends told         follows
    PartnerError: Meaning(True, True, Told.NOBODY, Follows.NOTHING),
    Unavailable: Meaning(True, True, Told.NOBODY, Follows.NOTHING),
    RateLimited: Meaning(True, False, Told.NOBODY, Follows.SLOWER),
    NeedsReconnect: Meaning(True, True, Told.LETTER, Follows.CONNECTION_BROKEN),
    AccessLost: Meaning(True, True, Told.PAGES, Follows.AD_ACCOUNT_LOST),
    AudienceGone: Meaning(True, True, Told.PAGES, Follows.AUDIENCE_GONE),
    TermsNotAccepted: Meaning(True, True, Told.PAGES, Follows.NOTHING),
    InvalidSettings: Meaning(True, True, Told.PAGES, Follows.NOTHING),
    ContentRefused: Meaning(False, True, Told.PAGES, Follows.NOTHING),
    ConsentFailed: Meaning(False, True, Told.PAGES, Follows.NOTHING),
}
# fmt: on


def codes_told_by(told: Told) -> list[str]:
    """Return the codes of the errors of which people are told in this way."""
    return [kind.code for kind, meaning in MEANINGS.items() if meaning.told is told]
