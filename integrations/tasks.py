"""Doors for the task queue: ids in, one domain call. Safe to run twice, and losing one costs a tick."""

import logging
import random

from django.utils import timezone

from integrations import audiences, retrying, telling, upkeep
from integrations.delivery import correcting, draining, giving_up, tidying, worker
from integrations.delivery.clock import database_clock
from integrations.errors import PartnerError
from integrations.models import AdAccount

log = logging.getLogger("pinsync.audiences")

RETRY_SECONDS = 10.0  # then others take their turn
# Less than the queue's timeout of 60 s by more than the longest request, and than handing over.
DELIVER_SECONDS = 18.0


def deliver() -> None:
    """Send what is due; ring again when there is more than one task's worth."""
    # Of different length, or those that a tick began together would end together.
    seconds = DELIVER_SECONDS * random.uniform(0.6, 1)
    draining.drain(seconds=seconds, stop=worker.stopping, hand_over=worker.ring_all)


def tick() -> None:
    """What every tick does for users: give up those whose time is over, follow changed data, tidy up, and deliver."""
    clock = database_clock()  # leases run by it, and no machine whose own is ahead gives people up too early
    giving_up.give_up(clock())
    correcting.follow(clock())
    tidying.tidy()
    deliver()


def keep() -> None:
    """What every tick does for connections: fresh tokens, told people, finished creations, young copies.

    Before that it rings for retries that were left lying: no partner that hangs delays it.
    """
    retrying.take_up(timezone.now())
    retrying.forget(timezone.now())
    upkeep.keep(timezone.now())


def refresh_audiences(ad_account_id: int) -> None:
    """Read the audiences of an ad account again; asked for by staff."""
    ad_account = AdAccount.objects.select_related("connection").get(pk=ad_account_id)
    try:
        audiences.refresh(ad_account, timezone.now())
    except PartnerError as problem:
        log.warning("audiences not read", extra={"ad_account": ad_account_id, "outcome": problem.code})


def tell_of_breaks() -> None:
    """Mail about connections that broke."""
    telling.tell_of_breaks(timezone.now())


def retry(pk: int) -> None:
    """Retry errored users for a while; rings again while there are more."""
    if retrying.go_on(pk, timezone.now(), seconds=RETRY_SECONDS):
        retrying.ring(pk)


def net() -> None:
    """Tick from the one-minute schedule, in case no worker's parent process does."""
    worker.tick(timezone.now())
