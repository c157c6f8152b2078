"""One row on its way to a profile: what may stand in it, and how its cells become values.

The rule for attributes in a file, cell by cell: `true` and `false` are booleans; a number is a number when nothing of
it would be lost (no leading zero or plus, no exponent, at most 15 digits: `007`, `1e5` and phone numbers stay text);
an ISO date stays the text it is; an ISO date-time is kept in UTC (`2025-04-07T04:34:38Z`, without an offset it is
taken for UTC), so that comparing texts is comparing times; everything else is text.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from django.db.models import CharField

from pinsync.logs import redacted
from pinsync.profiles.matching import ad_id_record, email_record, trim
from pinsync.profiles.models import Profile

Value = str | int | float | bool

MOST_ATTRIBUTES = 250
LONGEST_NAME = 100
LONGEST_TEXT = 2_000
_LONGEST: dict[str, int] = {
    name: cast(CharField, Profile._meta.get_field(name)).max_length or 0
    for name in ("external_id", "email", "idfa", "gaid")
}

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_UTC = re.compile(r"[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z")
MOST_DIGITS = 15  # what a double keeps exactly


class RowRefused(Exception):
    """This row cannot be taken; `reason` and `values` make its sentence (reasons.py)."""

    def __init__(self, reason: str, **values: Any) -> None:
        super().__init__(reason)
        self.reason, self.values = reason, redacted(values)


@dataclass(slots=True)
class Row:
    """What a row says about one user. Blank means "says nothing"; at least one of external_id and email_record is set.

    Of several rows about one user the later non-blank cell wins, also if it is unusable.
    """

    external_id: str
    email: str = field(default="", repr=False)
    idfa: str = field(default="", repr=False)
    gaid: str = field(default="", repr=False)
    attributes: dict[str, Value] = field(default_factory=dict, repr=False)
    email_record: str | None = field(default=None, repr=False)
    idfa_record: str | None = field(default=None, repr=False)
    gaid_record: str | None = field(default=None, repr=False)

    def take(self, later: "Row") -> None:
        """Let a later row about the same user write over this one, cell by cell."""
        if later.email:
            self.email, self.email_record = later.email, later.email_record
        if later.idfa:
            self.idfa, self.idfa_record = later.idfa, later.idfa_record
        if later.gaid:
            self.gaid, self.gaid_record = later.gaid, later.gaid_record
        self.attributes.update(later.attributes)


def make_row(external_id: str, email: str, idfa: str, gaid: str, attributes: dict[str, Value]) -> Row:
    """Return the checked row with its records. Raises RowRefused when it is too long or says of nobody."""
    external_id, email, idfa, gaid = trim(external_id), trim(email), trim(idfa), trim(gaid)
    for name, value in (("external_id", external_id), ("email", email), ("idfa", idfa), ("gaid", gaid)):
        if len(value) > _LONGEST[name]:
            raise RowRefused("too_long", column=name, most=_LONGEST[name])
    for name, attribute in attributes.items():
        if type(attribute) is str and len(attribute) > LONGEST_TEXT:
            raise RowRefused("too_long", column=name, most=LONGEST_TEXT)
    row = Row(
        external_id,
        email,
        idfa,
        gaid,
        attributes,
        email_record(email) if email else None,
        ad_id_record(idfa) if idfa else None,
        ad_id_record(gaid) if gaid else None,
    )
    if not external_id and not row.email_record:
        raise RowRefused("unusable_email" if email else "no_identifier")
    return row


def typed(text: str) -> Value:
    """Return the value of a cell that is not blank, by the rule at the top of this file."""
    first = text[0]
    if first in "0123456789-":
        if _NUMBER.fullmatch(text):
            return _number(text)
        if len(text) >= len("2025-04-07T04:34") and _DATE_TIME.fullmatch(text):
            return in_utc(text)
    elif first in "tTfF" and len(text) <= len("false"):
        word = text.lower()
        if word in ("true", "false"):
            return word == "true"
    return text


def in_utc(text: str) -> str:
    """Return an ISO date-time in UTC as `2025-04-07T04:34:38Z`; a text that is none comes back as it is."""
    if _UTC.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return text
    return moment.isoformat().replace("+00:00", "Z")


def _number(text: str) -> Value:
    digits = sum(character.isdigit() for character in text)
    if digits > MOST_DIGITS:
        return text
    number: int | float = float(text) if "." in text else int(text)
    return text if number == 0 and text[0] == "-" else number
