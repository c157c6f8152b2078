"""Doors for the task queue: ids in, one domain call. Safe to run twice, and losing one costs a tick."""

from django.utils import timezone

from integrations import telling, upkeep
from integrations.delivery import correcting, giving_up, sending, worker

DELIVER_SECONDS = 20.0  # less than the queue's timeout of 60 s by more than the longest request


def deliver() -> None:
    """Send what is due; ring again when there is more than one task's worth."""
    started_with = timezone.now()
    sending.drain(seconds=DELIVER_SECONDS, stop=worker.stopping.is_set)
    if (timezone.now() - started_with).total_seconds() >= DELIVER_SECONDS:
        worker.ring_all()


def tick() -> None:
    """What every tick does for users: give up those whose time is over, follow changed data, and deliver."""
    giving_up.give_up(timezone.now())
    correcting.follow(timezone.now())
    deliver()


def keep() -> None:
    """What every tick does for connections: fresh tokens, told people, finished creations, young copies."""
    upkeep.keep(timezone.now())


def tell_of_breaks() -> None:
    """Mail about connections that broke."""
    telling.tell_of_breaks(timezone.now())


def net() -> None:
    """Tick from the one-minute schedule, in case no worker's parent process does."""
    worker.tick(timezone.now())
