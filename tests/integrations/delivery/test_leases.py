"""A batch has one owner, whoever is slow and whatever a machine's clock says."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from integrations import tasks
from integrations.delivery import claiming, draining, sending, settling
from integrations.delivery.limits import limits_of
from integrations.models import Attempt, Batch, Tick
from tests.helpers import break_it, deliver, figures, let_in, people, records_at, records_of, sync_to
from tests.workers import until

AHEAD = timedelta(minutes=10)


def claim(audience, now):
    return claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=now)


def drained() -> None:
    try:
        draining.drain(seconds=3)
    finally:
        connections.close_all()


@pytest.fixture
def tell(monkeypatch):
    """Set this machine's clock wrong by so much."""
    real = timezone.now

    def tell(by: timedelta) -> None:
        monkeypatch.setattr(timezone, "now", lambda: real() + by)

    return tell


def test_a_lease_that_runs_out_while_its_owner_works_ends_with_one_owner(workspace, audience, sandbox, caplog):
    """The slower one changes nothing: neither figures nor the batch, only that its request is kept."""
    sync, chosen = sync_to(audience), people(workspace, 3)
    let_in(sync, chosen)
    now = timezone.now()
    slow = claim(audience, now)
    after = now + settling.LEASE + timedelta(seconds=1)
    moments = iter([now, now, now])  # until its request has begun; the answer comes when the lease is over

    def clock():
        moment = next(moments, None)
        if moment is not None:
            return moment
        if Batch.objects.get().state == Batch.State.SENDING:
            deliver(after)  # another worker takes the batch over, sends it and settles it
        return after + timedelta(seconds=1)

    sending.send(slow.batch, slow.records, clock=clock)
    settled = [line.ours for line in caplog.records if line.message == "batch settled"]
    assert settled == [True, False]  # the other one's, then the slow one's
    batch = Batch.objects.get()
    assert (batch.state, batch.attempts) == ("accepted", 1)
    assert figures(sync) == {"entered": 3, "synced": 3, "not_synced": 0, "pending": 0, "errored": 0}
    assert Attempt.objects.filter(batch=batch).count() == 2
    assert records_at(sandbox.world, audience) == records_of(chosen)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrong", [AHEAD, -AHEAD])
def test_a_machine_whose_clock_is_wrong_steals_nothing(workspace, audience, sandbox, tell, wrong):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    owner = claim(audience, timezone.now())
    tell(wrong)
    assert draining.drain(seconds=1.5) == 0
    batch = Batch.objects.get()
    assert (batch.state, batch.lease) == ("sending", owner.batch.lease)
    tell(timedelta())
    assert sending.send(owner.batch, owner.records)
    assert figures(sync)["synced"] == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrong", [AHEAD, -AHEAD])
def test_what_a_machine_with_a_wrong_clock_leases_is_left_to_it(workspace, audience, sandbox, tell, wrong):
    """Its lease is neither over at once nor ten minutes too long."""
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    Tick.objects.create(id=1, last_at=timezone.now().timestamp() + 1)
    break_it(sandbox, "latency", ms=1500)
    before = timezone.now()
    tell(wrong)
    drain = threading.Thread(target=drained)
    drain.start()
    until(lambda: Batch.objects.filter(state=Batch.State.SENDING).exists(), 5)
    (leased_until,) = Batch.objects.values_list("lease_until", flat=True)
    drain.join(20)
    tell(timedelta())
    assert before + settling.LEASE <= leased_until <= timezone.now() + settling.LEASE
    assert figures(sync)["synced"] == 3


@pytest.mark.django_db(transaction=True)
def test_a_machine_whose_clock_is_a_day_ahead_gives_nobody_up(workspace, audience, sandbox, tell):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    claim(audience, timezone.now())
    tell(timedelta(days=1))
    tasks.tick()
    assert figures(sync) == {"entered": 3, "synced": 0, "not_synced": 0, "pending": 3, "errored": 0}
