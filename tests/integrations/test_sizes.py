"""Sizes of audiences: kept when they change, hidden while small, and asked for one at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations import audiences, sizes
from integrations.errors import AudienceGone, Unavailable
from integrations.models import Audience, AudienceSize, SyncTotals
from integrations.pinterest.sandbox.breaking import break_on_purpose
from tests.helpers import sync_to

DAY = timedelta(days=1)


@pytest.fixture
def audience(ad_account, sandbox, now):
    audiences.create(ad_account, "Winter buyers", "", now)
    return Audience.objects.select_related("ad_account__connection").get(name="Winter buyers")


def put(sandbox, audience, number, start=0):
    """Put people into the list behind an audience."""
    records = ",".join(f"{n:064x}" for n in range(start, start + number))
    sandbox.world.change_records(id=audience.target_id, operation="ADD", records=records, at=sandbox.clock.now())


def rest(sandbox, days=2):
    """Let time pass; return the moment then."""
    sandbox.world.jump(hours=24 * days)
    return datetime.fromtimestamp(sandbox.clock.now(), UTC)


def kept(audience):
    return list(AudienceSize.objects.filter(audience=audience).order_by("at").values_list("size", flat=True))


def test_a_size_is_kept_when_it_changed_together_with_what_it_was(sandbox, ad_account, audience):
    put(sandbox, audience, 150)
    for _ in range(2):  # the second reading brings nothing new
        audiences.refresh(ad_account, rest(sandbox))
    assert kept(audience) == [None, 151]
    put(sandbox, audience, 100, start=150)
    now = rest(sandbox)
    audiences.refresh(ad_account, now)
    assert kept(audience) == [None, 151, 251]
    audience.refresh_from_db()
    assert [size for _at, size in sizes.history(audience)] == [None, 151, 251]
    audiences.refresh(ad_account, now + DAY)
    audience.refresh_from_db()
    assert sizes.history(audience)[-1] == (now + DAY, 251)  # and what it is now, as of when it was read


def test_what_is_read_for_the_first_time_or_did_not_change_leaves_no_row(ad_account, sandbox, now):
    audiences.refresh(ad_account, now)
    audiences.refresh(ad_account, now + DAY)
    assert AudienceSize.objects.count() == 0
    one = Audience.objects.first()
    assert sizes.history(one) == [(now + DAY, one.size)]


def test_many_changes_take_a_handful_of_queries(ad_account, now, django_assert_max_num_queries):
    audiences.refresh(ad_account, now)
    total = Audience.objects.update(size=5)
    infos = {
        one.external_id: sizes.AudienceInfo(one.external_id, one.target_id, one.name, "READY", 200)
        for one in Audience.objects.all()
    }
    with django_assert_max_num_queries(5):
        sizes.remember(ad_account, infos, now + DAY)
    assert AudienceSize.objects.count() == 2 * total > 2


def test_one_audience_is_asked_for_by_itself(sandbox, audience, wire):
    put(sandbox, audience, 150)
    now, before = rest(sandbox), len(wire.calls)
    sizes.reread(audience, now)
    assert len(wire.calls) == before + 1
    audience.refresh_from_db()
    assert (audience.size, audience.status, audience.seen_at) == (151, "READY", now)
    assert kept(audience) == [None, 151]


def test_one_that_is_gone_is_marked_and_an_outage_changes_nothing(sandbox, audience, now):
    break_on_purpose(sandbox, "outage", {})
    with pytest.raises(Unavailable):
        sizes.reread(audience, now)
    assert Audience.objects.get(pk=audience.pk).state == "ready"
    sandbox.faults.clear()
    break_on_purpose(sandbox, "delete_audience", {"audience_id": audience.external_id})
    with pytest.raises(AudienceGone):
        sizes.reread(audience, now)
    assert Audience.objects.get(pk=audience.pk).state == "gone"


def test_who_was_accepted_is_who_was_added_and_not_removed(audience):
    added, removed = sync_to(audience), sync_to(audience, operation="remove")
    SyncTotals.objects.create(sync=added, entered=60, synced=50, pending=10)
    SyncTotals.objects.create(sync=removed, entered=8, synced=8)
    found = sizes.standing(audience)
    assert (found.accepted, found.smallest, found.is_hidden, found.missing) == (42, 100, True, True)
    SyncTotals.objects.filter(sync=added).update(entered=1_010, synced=1_000)
    found = sizes.standing(audience)
    assert (found.accepted, found.missing) == (992, False)
