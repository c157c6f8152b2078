"""Which time a chart shows, and how finely: what people choose, as a range of whole units."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PERIODS: dict[str, tuple[str | Promise, timedelta | None]] = {
    "hour": (_("Last hour"), HOUR),
    "day": (_("Last 24 hours"), DAY),
    "week": (_("Last 7 days"), 7 * DAY),
    "month": (_("Last 30 days"), 30 * DAY),
    "all": (_("Since launch"), None),
}
DEFAULT = "day"
CHOSEN = "chosen"  # from and to
UNITS = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 28 * DAY, 364 * DAY)
MOST = 170  # units in a chart
FEWEST = timedelta(minutes=10)  # a drawing is at least this long
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)  # units are counted from here: weeks begin on Mondays


@dataclass(frozen=True)
class Range:
    """From `began` on and before `ended`, both at the edges of `unit`s; `now` where it ends with the present."""

    period: str
    began: datetime
    ended: datetime
    unit: timedelta
    is_now: bool = True

    @property
    def seconds(self) -> int:
        """Return the length of a unit."""
        return int(self.unit.total_seconds())

    @property
    def has_hours(self) -> bool:
        """Return whether a unit is made of whole hours."""
        return self.unit >= HOUR


@dataclass(frozen=True)
class Choice:
    """What a person asked for: a key of PERIODS, or CHOSEN with `since` and `until`."""

    period: str = DEFAULT
    since: datetime | None = None
    until: datetime | None = None
    is_wrong: bool = False  # asked for a range that is none; the default stands in for it

    @property
    def is_open(self) -> bool:
        """Return whether it begins when anything happened first."""
        return self.period == "all" or (self.period == CHOSEN and self.since is None)

    @property
    def query(self) -> dict[str, str]:
        """Return the choice as an address has it."""
        if self.period != CHOSEN:
            return {"period": self.period}
        return {"from": written(self.since), "to": written(self.until)}


def read(query: Mapping[str, str]) -> Choice:
    """Return what an address asks for: `period`, or `from` and `to`, to the minute; either may be left out."""
    since, until = moment(query.get("from", "")), moment(query.get("to", ""))
    if query.get("from") or query.get("to"):
        bad = any(query.get(name) and found is None for name, found in (("from", since), ("to", until)))
        if bad or (since and until and since >= until):
            return Choice(is_wrong=True)
        return Choice(CHOSEN, since, until)
    period = query.get("period", "")
    return Choice(period or DEFAULT) if period in ("", *PERIODS) else Choice(is_wrong=True)


def moment(text: str) -> datetime | None:
    """Return a moment as ISO 8601 writes it, in the reader's zone where none is said, as in a form; else None."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        if found.tzinfo is None:
            found = found.replace(tzinfo=timezone.get_current_timezone())
        found = found.astimezone(UTC)
    except OverflowError:
        return None
    return found.replace(second=0, microsecond=0) if 1970 < found.year < 9000 else None


def written(at: datetime | None) -> str:
    """Return a moment as an address has it: with its zone, so that it means the same to whoever gets the address."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") if at else ""


def range_of(choice: Choice, first: datetime, now: datetime) -> Range:
    """Return the range of a choice; `first` is when anything happened first.

    It is widened to whole units, so that none is shown in part.
    """
    end = now + MINUTE
    until = min(choice.until or end, end) if choice.period == CHOSEN else end
    if choice.period == CHOSEN:
        since = choice.since or min(first, until)
    else:
        length = PERIODS[choice.period][1]
        since = now - length if length else first
    since = min(since, until - FEWEST)
    unit = next((unit for unit in UNITS if (until - since) / unit <= MOST), UNITS[-1])
    began, ended = floor(since, unit), floor(until - timedelta(microseconds=1), unit) + unit
    return Range(choice.period, began, ended, unit, is_now=ended > now)


def floor(at: datetime, unit: timedelta) -> datetime:
    """Return the beginning of the unit that a moment lies in."""
    return MONDAY + (at - MONDAY) // unit * unit
