"""A delivery task ends every few seconds, and another one begins: no slot of a partner user is lost in between."""

import itertools
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from integrations.delivery import draining, seats
from integrations.delivery.pacing import spacing
from integrations.models import Seat, Tick
from tests.helpers import figures, let_in, people, sync_to

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timed]

USERS = 40


@pytest.fixture
def crowd(workspace, audience, sandbox, settings):
    """Let users wait who go one by one: six seconds of work for one partner user."""
    settings.DELIVERY_SEATS, settings.USERS_PER_REQUEST = 1, 1
    sync = sync_to(audience)
    let_in(sync, people(workspace, USERS), now=timezone.now() - timedelta(seconds=10))
    Tick.objects.update_or_create(id=1, defaults={"last_at": time.time()})
    return sync


def begin(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_who_hands_over_goes_on_until_another_has_sat_down(crowd, sandbox):
    made: dict[str, int] = {}
    others: list[threading.Thread] = []

    def other() -> None:
        time.sleep(1.2)  # as a process that has to take the task first
        made["other"] = draining.drain(seconds=60)

    made["first"] = draining.drain(seconds=1.5, hand_over=lambda: others.append(begin(other)))
    others[0].join()
    assert made["first"] + made["other"] == USERS == figures(crowd)["synced"]
    assert min(made.values()) > 5
    times = [line.time for line in sandbox.log.since(1e9, time.time()) if line.category == "ads_write"]
    assert max(after - before for before, after in itertools.pairwise(times)) < 4 * spacing("pinterest")


def test_where_nobody_comes_it_ends_all_the_same_and_leaves_the_seat(crowd, monkeypatch):
    monkeypatch.setattr(draining, "HANDING_OVER", 1.0)
    rung: list[float] = []
    began = time.monotonic()
    made = draining.drain(seconds=1.0, hand_over=lambda: rung.append(time.monotonic() - began))
    assert len(rung) == 1
    assert 1.0 <= rung[0] < 1.5
    assert time.monotonic() - began >= 2.0
    assert 5 < made < USERS
    assert not Seat.objects.exclude(holder=None).exists()


def test_an_offered_seat_is_free_and_still_ones_own_until_it_is_taken(settings):
    settings.DELIVERY_SEATS = 1
    mine = seats.take()
    assert mine is not None
    assert seats.take() is None
    seats.offer(mine)
    assert seats.has(mine)
    theirs = seats.take()
    assert theirs is not None
    assert not seats.has(mine)
    seats.leave(mine)  # changes nothing for who sits there now
    assert seats.has(theirs)
