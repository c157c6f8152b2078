"""Between two looks at everything only the lanes that are known are looked at, from where they begin."""

from dataclasses import replace

import pytest
from django.utils import timezone

from integrations.delivery import claiming, lanes
from integrations.delivery.limits import limits_of
from integrations.models import Arrival
from pinsync.profiles.models import Profile
from tests.helpers import let_in, people, sync_to


@pytest.fixture(autouse=True)
def no_look_at_everything_unless_asked(monkeypatch):
    monkeypatch.setattr(lanes, "SEE_ALL_EVERY", 3600)


def due(lookout):
    now = timezone.now()
    found = lookout.due_lanes(now=now, flushed_at=now, full=1900)
    return {(lane.audience_id, lane.operation): lane.first_id for lane in found}


def claim_two(audience, lane_first):
    two = replace(limits_of("pinterest"), users=2)
    return claiming.claim(audience.pk, "add", limits=two, fresh=True, now=timezone.now(), first_id=lane_first)


def test_a_lane_is_known_by_its_oldest_arrival_and_followed_as_it_is_claimed(workspace, audience):
    let_in(sync_to(audience), people(workspace, 5))
    first, *_, last = Arrival.objects.order_by("pk").values_list("pk", flat=True)
    lookout = lanes.Lookout()
    assert due(lookout) == {(audience.pk, "add"): first}
    assert lookout.saw_all
    assert claim_two(audience, first).batch.users == 2
    assert due(lookout) == {(audience.pk, "add"): first + 2}
    assert not lookout.saw_all
    claim_two(audience, first + 2)
    claim_two(audience, first + 4)
    assert due(lookout) == {}
    let_in(sync_to(audience), Profile.objects.filter(workspace=workspace))
    assert due(lookout) == {(audience.pk, "add"): last + 1}


def test_somebody_with_a_lower_id_who_was_committed_later_is_found_by_the_next_look_at_everything(workspace, audience):
    let_in(sync_to(audience), people(workspace, 3))
    late = Arrival.objects.order_by("pk").first()
    Arrival.objects.filter(pk=late.pk).delete()  # not committed yet
    lookout = lanes.Lookout()
    assert due(lookout) == {(audience.pk, "add"): late.pk + 1}
    late.save(force_insert=True)
    assert due(lookout) == {(audience.pk, "add"): late.pk + 1}
    lookout.see_all()
    assert due(lookout) == {(audience.pk, "add"): late.pk}


def test_a_new_lane_is_found_by_the_next_look_at_everything(workspace, audience):
    let_in(sync_to(audience), people(workspace, 1))
    lookout = lanes.Lookout()
    assert set(due(lookout)) == {(audience.pk, "add")}
    let_in(sync_to(audience, "remove"), people(workspace, 1, name="other"))
    lookout.see_all()
    assert set(due(lookout)) == {(audience.pk, "add"), (audience.pk, "remove")}


def test_a_claim_that_begins_behind_somebody_leaves_them_for_later(workspace, audience):
    let_in(sync_to(audience), people(workspace, 3))
    first = Arrival.objects.order_by("pk").first().pk
    assert claim_two(audience, first + 1).batch.users == 2
    assert list(Arrival.objects.values_list("pk", flat=True)) == [first]
