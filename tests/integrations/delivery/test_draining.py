"""Which lanes the loop that delivers starts now, and which it leaves to others."""

import uuid
from dataclasses import replace

import pytest
from django.utils import timezone

from integrations.delivery import claiming, draining
from integrations.delivery.lanes import due_lanes
from integrations.delivery.limits import limits_of
from integrations.models import Lane
from tests.helpers import let_in, people, sync_to


def claim(audience, **values):
    one = replace(limits_of("pinterest"), users=1)
    return claiming.claim(audience.pk, "add", limits=one, fresh=True, now=timezone.now(), **values)


def test_an_audience_that_was_served_since_has_had_its_turn(workspace, audience):
    let_in(sync_to(audience), people(workspace, 3))
    assert claim(audience, last_served=0.0) is not None  # never before
    seen = Lane.objects.get().served_at
    assert claim(audience) is not None  # by another process, since we looked
    with pytest.raises(claiming.LaneHeld):
        claim(audience, last_served=seen)
    assert claim(audience, last_served=Lane.objects.get().served_at) is not None


def test_a_batch_is_claimed_the_earlier_the_longer_claims_take(workspace, audience):
    let_in(sync_to(audience), people(workspace, 1))
    now = timezone.now()
    (lane,) = due_lanes(now=now, flushed_at=now, full=1900)
    near, far = replace(lane, next_slot_in=0.3), replace(lane, next_slot_in=0.6)
    loop = draining._Drain(0.0, uuid.uuid4(), lambda: False, None)
    assert loop._choose([near]) == []
    loop.claim_takes = 0.05
    assert loop._choose([near]) == [near]
    loop.claim_takes = 5.0
    assert loop._choose([far]) == []
