"""What becomes due by itself: launches, and ends of waits."""

import logging
from datetime import datetime

from django.db import transaction

from canvas import journeys, launching
from canvas.models import Canvas

log = logging.getLogger(__name__)


def enter_due(now: datetime) -> int:
    """Let in whom launches have called; return how many. What fails in one Canvas holds up no other.

    Safe to run at the same time anywhere: whoever clears `enter_at` lets them in, in the same transaction.
    """
    total = 0
    due = Canvas.objects.filter(state=Canvas.State.ACTIVE, enter_at__lte=now)
    for canvas in due.select_related("workspace", "segment", "source_import").order_by("enter_at"):
        try:
            with transaction.atomic():
                if due.filter(pk=canvas.pk).update(enter_at=None):
                    move = journeys.enter(canvas, launching.target(canvas, now), source=launching.LAUNCH, now=now)
                    total += move.users
        except Exception:  # the others are due, too; this one is tried again at the next tick
            log.exception("Entering failed canvas=%s", canvas.pk)
    return total
