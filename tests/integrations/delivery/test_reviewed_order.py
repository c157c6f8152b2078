"""The last intent wins: on the ways on which it once did not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.delivery import claiming, giving_up, sending, settling
from integrations.delivery.limits import limits_of
from integrations.models import Batch, Connection
from tests.helpers import (
    break_it,
    deliver,
    figures,
    later,
    let_in,
    mend,
    people,
    reasons,
    records_at,
    records_of,
    retry,
    sync_to,
)


@pytest.mark.parametrize("last", ["add", "remove"])
def test_of_opposite_intents_that_are_given_up_only_the_last_is_retried(workspace, audience, connection, sandbox, last):
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    first_in, last_in = (remove, add) if last == "add" else (add, remove)
    chosen = people(workspace, 3)
    Connection.objects.update(state=Connection.State.BROKEN)
    let_in(first_in, chosen)
    let_in(last_in, chosen)
    giving_up.give_up(later(hours=14))
    Connection.objects.update(state=Connection.State.CONNECTED)

    retried = {sync.operation: retry(sync, now=timezone.now()) for sync in (add, remove)}
    deliver()
    assert retried == {last: 3, first_in.operation: 0}
    assert reasons(first_in) == {"superseded": 3}
    assert figures(last_in)["synced"] == 3
    assert records_at(sandbox.world, audience) == (records_of(chosen) if last == "add" else set())


def test_a_sender_whose_turn_comes_too_late_sends_nothing(workspace, audience, sandbox):
    chosen = people(workspace, 3)
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    let_in(add, chosen)
    limits, now = limits_of("pinterest"), timezone.now()
    slow = claiming.claim(audience.pk, "add", limits=limits, fresh=True, now=now)
    assert slow is not None
    after = now + settling.LEASE + timedelta(seconds=1)  # the lease ran out: another worker sends the batch
    deliver(after)
    let_in(remove, chosen)
    deliver(after + timedelta(seconds=5))
    assert (figures(add)["synced"], figures(remove)["synced"]) == (3, 3)

    assert not sending.send(slow.batch, slow.records, clock=lambda: after + timedelta(seconds=10))
    assert records_at(sandbox.world, audience) == set()
    assert figures(add)["synced"] == 3


def test_a_lease_is_made_longer_before_a_request_that_might_outlast_it(workspace, audience, sandbox):
    let_in(sync_to(audience), people(workspace, 3))
    now = timezone.now()
    claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=now)
    assert claim is not None
    break_it(sandbox, "outage", status=503)
    seen = []

    def clock():
        seen.append(Batch.objects.get().lease_until)
        return now + timedelta(seconds=55)

    sending.send(claim.batch, claim.records, clock=clock)
    mend(sandbox)
    assert max(moment for moment in seen if moment) >= now + timedelta(seconds=55 + 36)
