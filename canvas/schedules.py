"""What becomes due by itself: launches, and the rounds of a schedule. (Ends of waits: journeys.advance_due.)"""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import F

from canvas import journeys, launching, recurring
from canvas.models import Canvas

log = logging.getLogger(__name__)

# Users who enter in one transaction: some seconds at most, so that a worker's task ends in time, a killed one loses
# little, and nobody else waits long for SQLite's only writer.
USERS_AT_A_TIME = 200_000
MOST_APART = 10  # ids for each user: where they lie further apart, looking them up is quicker than reading the span
SCHEDULE = "schedule"  # Move.source of users who entered because it was time


def enter_due(now: datetime) -> int:
    """Let in whom launches have called; return how many.

    Canvases take turns, and what fails in one holds up no other. Safe to run at the same time anywhere.
    """
    total = 0
    failed: set[int] = set()
    due = Canvas.objects.filter(state=Canvas.State.ACTIVE, enter_at__lte=now).order_by("enter_at", "pk")
    while pending := list(due.exclude(pk__in=failed).values_list("pk", flat=True)):
        for pk in pending:
            try:
                total += _enter_some(pk, now)
            except Exception:  # the others are due, too; this one is tried again at the next tick
                log.exception("entering failed", extra={"canvas": pk})
                failed.add(pk)
    return total


def _enter_some(pk: int, now: datetime) -> int:
    """Let in the next users of a launch or a round, in the order of their ids; return how many.

    The mark up to which they have entered, or the end of the round, is written in the same transaction.
    """
    _begin(pk, now)
    with transaction.atomic():
        canvas = journeys.hold(pk)
        if canvas.state != Canvas.State.ACTIVE or canvas.enter_at is None or canvas.enter_at > now:
            return 0  # another worker was first, or the Canvas was stopped
        users = launching.target(canvas, canvas.enter_at).filter(pk__gt=canvas.enter_after or 0)
        ids = users.order_by("pk").values_list("pk", flat=True)
        first = (canvas.enter_after or 0) + 1
        last = ids[USERS_AT_A_TIME - 1 : USERS_AT_A_TIME].first()
        within = None
        if last is None:
            Canvas.objects.filter(pk=pk).update(**_end(canvas, now))
        else:
            Canvas.objects.filter(pk=pk).update(enter_after=last)
            users = users.filter(pk__lte=last)
            if last - first < USERS_AT_A_TIME * MOST_APART:
                within = (first, last)
        entered = journeys.enter(canvas, users, source=_source(canvas), now=now, within=within).users
        Canvas.objects.filter(pk=pk).update(enter_done=F("enter_done") + entered)
        return entered


def _begin(pk: int, now: datetime) -> None:
    """Count once, for people who watch, who is about to enter; nothing is held meanwhile."""
    due = Canvas.objects.filter(pk=pk, state=Canvas.State.ACTIVE, enter_at__lte=now, enter_began_at=None)
    canvas = due.select_related("workspace", "segment", "source_import", "exit_segment").first()
    if canvas is not None and canvas.enter_at is not None:
        total = journeys.may_enter(canvas, launching.target(canvas, canvas.enter_at), now).count()
        due.update(enter_began_at=now, enter_total=total, enter_done=0)


def _end(canvas: Canvas, now: datetime) -> dict[str, object]:
    """Return what a round that is through leaves behind: the next one, or nothing that is due."""
    following = recurring.next_entry(canvas, now) if canvas.entry_kind == Canvas.EntryKind.SCHEDULED else None
    if following is None:
        return {"enter_at": None, "enter_after": None}
    return {"enter_at": following, "enter_after": 0, "enter_began_at": None}


def _source(canvas: Canvas) -> str:
    return SCHEDULE if canvas.entry_kind == Canvas.EntryKind.SCHEDULED else launching.LAUNCH
