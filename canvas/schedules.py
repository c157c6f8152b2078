"""What becomes due by itself: launches. (Ends of waits: journeys.advance_due.)"""

import logging
from datetime import datetime

from django.db import transaction

from canvas import journeys, launching
from canvas.models import Canvas

log = logging.getLogger(__name__)

# Users who enter in one transaction: some seconds at most, so that a worker's task ends in time, a killed one loses
# little, and nobody else waits long for SQLite's only writer.
USERS_AT_A_TIME = 200_000


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
    """Let in the next users of a launch, in the order of their ids; return how many.

    The mark up to which they have entered, or the end of the launch, is written in the same transaction.
    """
    with transaction.atomic():
        canvas = journeys.hold(pk)
        if canvas.state != Canvas.State.ACTIVE or canvas.enter_at is None or canvas.enter_at > now:
            return 0  # another worker was first, or the Canvas was stopped
        users = launching.target(canvas, canvas.enter_at).filter(pk__gt=canvas.enter_after or 0)
        ids = users.order_by("pk").values_list("pk", flat=True)
        last = ids[USERS_AT_A_TIME - 1 : USERS_AT_A_TIME].first()
        if last is None:
            Canvas.objects.filter(pk=pk).update(enter_at=None, enter_after=None)
        else:
            Canvas.objects.filter(pk=pk).update(enter_after=last)
            users = users.filter(pk__lte=last)
        return journeys.enter(canvas, users, source=launching.LAUNCH, now=now).users
