"""From raw values to records: normalise, check, digest.

A record is what a partner matches on: the lower-case hex digest of a normalised value. product.md, section 4, has
the table that this file keeps.
"""

import enum
import hashlib
import re

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _


class MatchField(enum.IntFlag):
    """The fields a step may match on; kept as a bit mask in AudienceSync, Arrival and Delivery."""

    EMAIL = 1
    IDFA = 2
    GAID = 4

    @property
    def names(self) -> list[str]:
        """Return the column names of the fields in this mask, in their fixed order."""
        return [field.name.lower() for field in MatchField if field in self and field.name]

    @classmethod
    def parse(cls, names: str | list[str]) -> "MatchField":
        """Return the mask for `email,idfa` or a list of names. Raises ValueError naming the unknown one."""
        items = names.split(",") if isinstance(names, str) else names
        mask = cls(0)
        for item in items:
            try:
                mask |= cls[item.strip().upper()]
            except KeyError:
                raise ValueError(f"“{item.strip()}” is no field to match on; use email, idfa or gaid.") from None
        return mask


LABELS = {"email": _("Email"), "idfa": _("Apple IDFA"), "gaid": _("Google Advertising ID")}
RECORD_COLUMNS = {"email": "email_record", "idfa": "idfa_record", "gaid": "gaid_record"}

# Blanks that spreadsheets and web forms leave around a value: str.strip() knows NBSP, but not the zero-width ones.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u180e"
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}")
_AD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_AD_ID = "00000000-0000-0000-0000-000000000000"  # what a phone reports when tracking is off
_check_email = EmailValidator(allowlist=[])  # an address at "localhost" is nobody's at a partner


def trim(raw: str) -> str:
    """Return `raw` without the visible and invisible blanks around it."""
    previous = None
    while raw != previous:
        previous, raw = raw, raw.strip().strip(_INVISIBLE)
    return raw


def normalise(raw: str) -> str:
    """Return `raw` trimmed of visible and invisible blanks, in lower case; nothing is folded."""
    return trim(raw).lower()


def email_record(raw: str) -> str | None:
    """Return the record of an e-mail address, or None when it is not one."""
    value = normalise(raw)
    if _DIGEST.fullmatch(value):
        return value
    try:
        _check_email(value)
    except ValidationError:
        return None
    return hashlib.sha256(value.encode()).hexdigest()


def ad_id_record(raw: str) -> str | None:
    """Return the record of an IDFA or a Google Advertising ID, or None when it is not one."""
    value = normalise(raw)
    if _DIGEST.fullmatch(value):
        return value
    if not _AD_ID.fullmatch(value) or value == _NO_AD_ID:
        return None
    return hashlib.sha256(value.encode()).hexdigest()


def records(email: str, idfa: str, gaid: str) -> tuple[str | None, str | None, str | None]:
    """Return the records of a profile's three raw values, in the order email, idfa, gaid."""
    return email_record(email or ""), ad_id_record(idfa or ""), ad_id_record(gaid or "")
