"""When users of a scheduled Canvas enter: once, every day, every week, or by a cron expression.

Days and hours are those of the Canvas' time zone, so that nine o'clock stays nine o'clock when the clocks change. An
hour that a day has twice is met once, the first time; one that a day does not have is met when the clocks have changed.
"""

import re
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from croniter import croniter

from canvas.models import Canvas

CRON_FIELDS = 5  # minute, hour, day, month, weekday: no seconds
CLOSEST = timedelta(minutes=15)  # between two rounds, each of which may let millions in
LOOKED_AT = 50  # rounds of an expression whose distances are looked at
AT_RANDOM = re.compile(r"(?<![a-z])[rh](?![a-z])", re.IGNORECASE)  # croniter's own: another moment at every look

Repeat = Canvas.Repeat


def next_entry(canvas: Canvas, after: datetime) -> datetime | None:
    """Return the first moment later than `after` at which users enter by the schedule; None when there is none."""
    if canvas.starts_at is None:
        return None
    found = _next(canvas, canvas.starts_at, after)
    ends_at = None if canvas.repeat == Repeat.ONCE else canvas.ends_at
    return None if found is None or (ends_at is not None and found > ends_at) else found


def cron_problem(expression: str) -> bool:
    """Return whether a cron expression cannot be used: not of five fields, never due, or at random or too often."""
    if len(expression.split()) != CRON_FIELDS or AT_RANDOM.search(expression) or not croniter.is_valid(expression):
        return True
    try:
        rounds = croniter(expression, datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")))
        times: list[datetime] = [rounds.get_next(datetime) for _round in range(LOOKED_AT)]
    except ValueError:  # such as 30 February
        return True
    return min(later - earlier for earlier, later in pairwise(times)) < CLOSEST


def _next(canvas: Canvas, starts_at: datetime, after: datetime) -> datetime | None:
    zone = ZoneInfo(canvas.time_zone)
    if canvas.repeat == Repeat.ONCE:
        return starts_at if starts_at > after else None
    if canvas.repeat == Repeat.CRON:
        base = max(after, starts_at - timedelta(seconds=1)).astimezone(zone)
        rounds = croniter(canvas.cron, base)
        found: datetime = rounds.get_next(datetime)
        while found.fold:  # the clock shows this for the second time: its round was an hour ago
            found = rounds.get_next(datetime)
        return found
    if starts_at > after:
        return starts_at
    days = 7 if canvas.repeat == Repeat.WEEKLY else 1
    first = starts_at.astimezone(zone)
    # One round early, as the clocks may have changed in between; then the first that is late enough.
    passed = max((after.astimezone(zone).date() - first.date()).days // days - 1, 0)
    while True:
        wall = first.replace(tzinfo=None) + timedelta(days=passed * days)
        moment = wall.replace(tzinfo=zone)
        if moment > after:
            return moment
        passed += 1
