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


@pytest.mark.parametrize(("users_per_request", "crowded"), [(1, True), (5, False)])
def test_a_full_batch_has_the_next_claimed_earlier(workspace, audience, settings, users_per_request, crowded):
    settings.USERS_PER_REQUEST = users_per_request
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    loop = draining._Drain(0.0, uuid.uuid4(), lambda: False, None)

    def chosen(seconds):
        (lane,) = due_lanes(now=timezone.now(), flushed_at=timezone.now(), full=1900)
        return loop._choose([replace(lane, next_slot_in=seconds)]) != []

    assert [chosen(seconds) for seconds in (0.2, 0.4, 0.6)] == [True, False, False]
    claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    let_in(sync, people(workspace, 1, name="late"))
    assert [chosen(seconds) for seconds in (0.2, 0.4, 0.6)] == [True, crowded, False]
    while crowded and claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now()):
        pass
    let_in(sync, people(workspace, 1, name="later"))
    assert not chosen(0.4)
