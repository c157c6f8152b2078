"""Small drawings of how many users were synced lately, one for each of a few Canvases, read in one statement."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, F, Sum, When
from django.db.models.functions import TruncHour

from canvas.analytics.periods import DAY, FEWEST, HOUR, MINUTE
from canvas.models import Canvas
from integrations.models import SyncMinute

WIDTH, HEIGHT = 120, 28  # of a drawing, in its own units
YOUNG = HOUR  # a journey launched since then is drawn minute by minute, an older one hour by hour over a day


@dataclass(frozen=True)
class Sparkline:
    """Users synced in each minute since the launch or in each hour of the last day, as SVG polylines have points."""

    points: str
    area: str
    users: int
    since_launch: bool


def sparklines(canvases: Iterable[Canvas], now: datetime) -> dict[int, Sparkline]:
    """Return the drawings by Canvas id; one in which nobody was synced in its time has none."""
    launched = {canvas.pk: canvas.launched_at for canvas in canvases if canvas.launched_at}
    minutes = SyncMinute.objects.filter(
        sync__step__canvas__in=launched, minute__gt=now - DAY, minute__lte=now, synced__gt=0
    )
    # Whole minutes of the last hour, whole hours before it: at most 84 rows a Canvas, however long it runs.
    at = Case(When(minute__gt=now - HOUR, then=F("minute")), default=TruncHour("minute"))
    rows = (
        minutes.annotate(at=at, canvas=F("sync__step__canvas"))
        .values_list("canvas", "at")
        .annotate(users=Sum("synced"))
        .order_by()
    )
    by_canvas: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for canvas, moment, users in rows:
        # The hour in which the day began is told by its beginning, which lies before the day.
        by_canvas[canvas].append((max(moment, now - DAY + MINUTE), users))
    found = {}
    for canvas, happened in by_canvas.items():
        age = now - launched[canvas]
        if age < YOUNG:
            line = _drawn(happened, now, max(age + 2 * MINUTE, FEWEST), MINUTE, since_launch=True)
        else:
            line = _drawn(happened, now, DAY, HOUR, since_launch=False)
        if line.users:
            found[canvas] = line
    return found


def _drawn(
    happened: list[tuple[datetime, int]], now: datetime, span: timedelta, step: timedelta, *, since_launch: bool
) -> Sparkline:
    buckets = span // step
    counts = [0] * buckets
    for at, users in happened:
        place = buckets - 1 - (now - at) // step
        if place >= 0:
            counts[place] += users
    highest = max(max(counts), 1)
    points = [
        f"{place * WIDTH / (buckets - 1):.1f},{HEIGHT - 2 - count * (HEIGHT - 4) / highest:.1f}"
        for place, count in enumerate(counts)
    ]
    line = " ".join(points)
    return Sparkline(line, f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}", sum(counts), since_launch)
