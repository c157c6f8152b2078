"""What Pinterest's answers mean: one table from (what came, status, body code, subject) to an error of errors.py.

The error's class decides everything else: errors.MEANINGS says what follows from it, reasons.py how people read it.
"""

import enum
from collections.abc import Collection
from dataclasses import dataclass

from integrations import errors


class About(enum.Enum):
    """What a request is about. It decides what a refusal of it means."""

    CONSENT = "a consent"
    REFRESH = "a refresh"
    REVOCATION = "a revocation"
    PERSON = "the person"
    AD_ACCOUNT = "an ad account"
    AUDIENCE = "an audience"
    RECORDS = "records"


class Came(enum.Enum):
    """What came back, if not what was asked for."""

    NO_ANSWER = enum.auto()  # no connection, cut off, or too late
    REFUSAL = enum.auto()  # an error of Pinterest's own: a JSON object with code and message
    ERROR_INSIDE = enum.auto()  # a success that says otherwise in its body
    SOMETHING_ELSE = enum.auto()  # a web page, half an answer, a redirect: not Pinterest's word on anything


@dataclass(frozen=True)
class Row:
    """What is None or empty is any."""

    means: type[errors.PartnerError]
    came: Came | None = None
    status: range | Collection[int] = range(1000)
    about: Collection[About] = tuple(About)
    body_code: int | None = None
    says: str = ""  # a word of the message

    def fits(self, came: Came, status: int, about: About, body_code: int | None, message: str) -> bool:
        return (
            self.came in (None, came)
            and status in self.status
            and about in self.about
            and self.body_code in (None, body_code)
            and self.says in message.lower()
        )


SENT = (About.RECORDS,)
OBJECT = (About.AUDIENCE, About.RECORDS)
TERMS = 2703  # the bundled sandbox's code; Pinterest documents none, so its message may say it, too

# The first row that fits decides. An outage, a rate limit or a web page is never read as "gone" or "dead".
ANSWERS = (
    Row(errors.Unavailable, Came.NO_ANSWER),
    Row(errors.Unavailable, Came.ERROR_INSIDE),
    # These two may come from a proxy that knows nothing of Pinterest's error bodies.
    Row(errors.ContentRefused, Came.SOMETHING_ELSE, [413], SENT),
    Row(errors.RateLimited, Came.SOMETHING_ELSE, [429]),
    Row(errors.Unavailable, Came.SOMETHING_ELSE),
    Row(errors.ConsentFailed, Came.REFUSAL, [400, 401, 403], [About.CONSENT]),
    Row(errors.NeedsReconnect, Came.REFUSAL, [400, 401, 403], [About.REFRESH]),
    Row(errors.ContentRefused, Came.REFUSAL, [400, 413, 422], SENT),
    Row(errors.NeedsReconnect, Came.REFUSAL, [401]),
    Row(errors.TermsNotAccepted, Came.REFUSAL, [403], body_code=TERMS),
    Row(errors.TermsNotAccepted, Came.REFUSAL, [403], says="terms"),
    Row(errors.AccessLost, Came.REFUSAL, [403]),
    Row(errors.AccessLost, Came.REFUSAL, [404], [About.AD_ACCOUNT]),
    Row(errors.AudienceGone, Came.REFUSAL, [404], OBJECT),
    Row(errors.Unavailable, Came.REFUSAL, [408]),
    Row(errors.RateLimited, Came.REFUSAL, [429]),
    Row(errors.InvalidSettings, Came.REFUSAL, range(400, 500)),
    Row(errors.Unavailable),
)


def meaning(
    came: Came, about: About, *, status: int = 0, body_code: int | None = None, message: str = ""
) -> type[errors.PartnerError]:
    """Return which error an answer is. `message` is looked at here and goes no further."""
    return next(row.means for row in ANSWERS if row.fits(came, status, about, body_code, message))
