"""What can go wrong at a partner, named by what to do next.

The class decides; `code` names it for people (reasons.py has the sentence); `http_status` is for the record only.
"""

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
    code = "terms_not_accepted"


class InvalidSettings(PartnerError):
    """The request was wrong though it carried no users: our mistake or a setting's. Not tried again by itself."""

    code = "invalid_settings"


class ContentRefused(PartnerError):
    """A request was refused because of its content: split it until the bad record stands alone."""

    code = "record_refused"


class ConsentFailed(PartnerError):
    """The code or the state of a consent was refused; start again."""

    code = "consent_failed"
