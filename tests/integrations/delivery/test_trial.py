"""Trial access: 1,000 requests a day for the whole app, over all people, workspaces, workers and machines."""

import itertools
import threading
import time
from bisect import bisect_right
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db.models import F
from django.utils import timezone

from integrations import ad_accounts, audiences, creating, upkeep
from integrations.contract import Quota
from integrations.delivery import draining, giving_up, pacing, rationing, reading
from integrations.delivery.lanes import due_lanes
from integrations.errors import RateLimited
from integrations.models import AdAccount, AppPace, AppRead, Audience, Batch, Connection, Pace, Tick
from tests.helpers import audience_named, deliver, figures, later, let_in, people, records_at, records_of, sync_to

DAY = 86_400
PEOPLES, UPKEEPS, ALL = 180, 100, 200  # of the reads of a day: what pages, upkeep and tokens may use


@pytest.fixture(autouse=True)
def _trial(settings):
    settings.PINTEREST_ACCESS = "trial"


@pytest.fixture
def paces(db):
    return [Pace.objects.create(partner="pinterest", partner_user_id=str(number)) for number in range(3)]


def read(times=1):
    for _ in range(times):
        reading.keep_door("pinterest", "read")


def most_in(moments, seconds):
    return max(last + 1 - bisect_right(moments, moment - seconds) for last, moment in enumerate(moments))


def free_the_slot(in_seconds=0.0):
    AppPace.objects.update(next_slot=time.time() + in_seconds, blocked_until=0)


@pytest.mark.parametrize("quota", [Quota("", 1000, DAY), Quota("", 30, 15), Quota("", 1000, 60), Quota("", 17, 3600)])
def test_writes_and_reads_together_never_exceed_the_quota(quota):
    writes = int(quota.calls * rationing.WRITES)
    # Even when the first write of a window arrives as late as may be, and the last one at once.
    assert writes * rationing.gap(quota) >= quota.seconds + rationing.slack(quota) - 1e-6
    assert rationing.latest_start(quota) < rationing.slack(quota)


def slot_of(pace):
    """Take the next slot, however far away, and return the moment."""
    pacing.reserve(pace, at_most=10 * DAY)
    return Pace.objects.get(pk=pace.pk).next_slot - pacing.spacing("pinterest")


def test_the_writes_of_a_day_are_spread_over_it_for_all_people_together(paces, settings):
    first = [slot_of(paces[number % 3]) for number in range(20)]
    assert min(after - before for before, after in itertools.pairwise(first)) >= 108.07  # 800 in a day and a minute
    settings.PINTEREST_TRIAL_LIMIT = (250, DAY)
    slots = [slot_of(paces[number % 3]) for number in range(230)]
    assert most_in(slots, DAY) == 200


def test_a_persons_own_pace_comes_on_top(paces, settings):
    settings.PINTEREST_TRIAL_LIMIT = (1000, 60)  # every 79 ms, faster than one person may
    slots = [slot_of(paces[0]) for _ in range(50)]
    assert min(after - before for before, after in itertools.pairwise(slots)) >= 0.15
    both = sorted(slot_of(paces[number % 2]) for number in range(50))
    assert min(after - before for before, after in itertools.pairwise(both)) >= 0.078


def test_a_slot_that_is_far_away_is_not_taken(paces):
    pacing.reserve(paces[0], at_most=2)
    before = AppPace.objects.get().next_slot
    with pytest.raises(pacing.TurnTooFar) as far:
        pacing.take_turn(paces[1])
    assert 107 < far.value.seconds <= 108.2
    assert AppPace.objects.get().next_slot == before
    assert pacing.seconds_to_next_slot(paces[2]) == pytest.approx(far.value.seconds, abs=1)


def test_reads_live_from_the_rest_and_upkeep_stops_first(db):
    with reading.in_background():
        read(UPKEEPS)
        with pytest.raises(RateLimited):
            read()
    read(PEOPLES - UPKEEPS)
    with pytest.raises(RateLimited):
        read()
    for _ in range(ALL - PEOPLES):
        reading.keep_door("pinterest", "token")
    with pytest.raises(RateLimited):
        reading.keep_door("pinterest", "token")
    assert AppRead.objects.count() == ALL


@pytest.mark.timed
def test_a_refusal_says_when_it_works_again_and_then_it_does(db):
    read(PEOPLES)
    AppRead.objects.update(at=F("at") - 20 * 3600)
    started = time.monotonic()
    with pytest.raises(RateLimited) as refused:
        read()
    assert time.monotonic() - started < 1  # never a hang
    assert refused.value.retry_after.total_seconds() == pytest.approx(4 * 3600 + 60, abs=30)
    AppRead.objects.update(at=F("at") - refused.value.retry_after.total_seconds())
    read()
    assert AppRead.objects.count() <= PEOPLES  # what no longer counts is not kept


@pytest.mark.django_db(transaction=True)
def test_the_ledger_is_exact_whoever_asks_at_once(settings):
    settings.PINTEREST_TRIAL_LIMIT = (100, DAY)
    let_out = []

    def ask():
        for _ in range(10):
            try:
                reading.keep_door("pinterest", "token")
                let_out.append(1)
            except RateLimited:
                continue
        database.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_out) == AppRead.objects.count() == 20


def test_writes_are_not_counted_as_reads_and_nothing_is_counted_with_standard_access(db, settings):
    reading.keep_door("pinterest", "write")
    settings.PINTEREST_ACCESS = "standard"
    read(3)
    assert not AppRead.objects.exists()


def test_every_request_of_a_round_through_the_product_is_counted(workspace, ad_account, sandbox):
    audiences.refresh(ad_account, timezone.now())
    ad_accounts.reread(ad_account.connection, timezone.now())
    seen = sandbox.log.latest(1000)
    assert {line.category for line in seen} == {"ads_read"}
    assert AppRead.objects.count() == len(seen) > 1


def test_a_used_up_budget_holds_up_no_delivery(workspace, audience, sandbox):
    read(PEOPLES)
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    free_the_slot()
    assert deliver(rounds=3) == 1
    assert figures(sync)["synced"] == 3
    with pytest.raises(RateLimited):
        audiences.refresh(audience.ad_account, timezone.now())


@pytest.mark.django_db(transaction=True)
def test_users_gather_until_right_before_the_slot(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 5, name="early"), now=timezone.now() - timedelta(seconds=10))
    rationing.block("pinterest", timedelta(seconds=2.5))
    made = []

    def drain():
        Tick.objects.update_or_create(id=1, defaults={"last_at": time.time()})
        made.append(draining.drain(seconds=6))
        database.close()

    worker = threading.Thread(target=drain)
    worker.start()
    time.sleep(1.2)
    assert not Batch.objects.exists()
    let_in(sync, people(workspace, 4, name="late"))
    worker.join()
    assert made == [1]
    assert [batch.users for batch in Batch.objects.all()] == [9]
    assert figures(sync)["synced"] == 9


@pytest.mark.django_db(transaction=True)
def test_a_slot_goes_to_removals_first_and_one_batch_is_made_for_it(workspace, audience, ad_account, sandbox):
    other = audience_named("Other", ad_account, sandbox.world)
    adds, removals = sync_to(audience), sync_to(other, "remove")
    entered = timezone.now() - timedelta(seconds=10)
    let_in(adds, people(workspace, 5, name="add"), now=entered)
    let_in(removals, people(workspace, 4, name="remove"), now=entered)
    Tick.objects.update_or_create(id=1, defaults={"last_at": time.time()})
    assert draining.drain(seconds=3) == 1
    assert (figures(adds)["pending"], figures(removals)["synced"]) == (5, 4)
    assert Batch.objects.count() == 1
    free_the_slot()
    assert draining.drain(seconds=3) == 1
    assert figures(adds)["synced"] == 5


def test_a_claim_for_a_slot_is_one_callers_and_outlives_no_killed_one(db):
    lease = rationing.may_claim("pinterest", within=0.3)
    assert lease is not None
    assert rationing.may_claim("pinterest", within=0.3) is None
    AppPace.objects.update(claimed_until=F("claimed_until") - rationing.CLAIM)
    time.sleep(0.005)  # a lease is a moment, SQLite's clock tells thousandths, and CLAIM is said to have passed
    again = rationing.may_claim("pinterest", within=0.3)
    assert again is not None
    rationing.release("pinterest", lease)  # too late: it is another's now
    assert rationing.may_claim("pinterest", within=0.3) is None
    rationing.release("pinterest", again)
    free_the_slot(in_seconds=10)
    assert rationing.may_claim("pinterest", within=0.3) is None


def test_lanes_of_all_people_share_one_turn(workspace, audience, sandbox, settings):
    let_in(sync_to(audience), people(workspace, 2))
    pacing.reserve(Pace.objects.create(partner="pinterest", partner_user_id="somebody else"), at_most=1)
    (lane,) = due_lanes(now=later(minutes=1), flushed_at=later(minutes=1), full=1900)
    assert lane.turn == "pinterest"
    assert 107 < lane.next_slot_in < 108.2
    settings.PINTEREST_ACCESS = "standard"
    (lane,) = due_lanes(now=later(minutes=1), flushed_at=later(minutes=1), full=1900)
    assert (lane.turn, lane.next_slot_in) == (str(lane.pace_id), 0.0)


def test_a_429_holds_up_the_whole_app(workspace, audience, connection, sandbox):
    pacing.slow_down(pacing.pace_of(connection), timedelta(hours=3))
    other = Pace.objects.create(partner="pinterest", partner_user_id="somebody else")
    assert pacing.seconds_to_next_slot(other) == pytest.approx(3 * 3600, abs=2)
    with pytest.raises(RateLimited) as refused:
        read()
    assert refused.value.retry_after.total_seconds() == pytest.approx(3 * 3600, abs=2)


def test_waiting_for_the_quota_spends_nobodys_thirteen_hours(workspace, audience, connection, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3), now=timezone.now() - timedelta(hours=20))
    giving_up.give_up(timezone.now())
    assert figures(sync)["pending"] == 3
    Connection.objects.update(state=Connection.State.BROKEN)  # then it is not the quota that they wait for
    giving_up.give_up(timezone.now())
    assert figures(sync)["errored"] == 3


def test_a_batch_has_its_thirteen_hours_from_its_first_request(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3), now=timezone.now() - timedelta(hours=20))
    sandbox.faults.clear()
    Audience.objects.update(target_id="404")  # refused as gone, again and again
    deliver(rounds=3)
    assert figures(sync)["pending"] == 3
    giving_up.give_up(later(hours=12, minutes=50))
    assert figures(sync)["pending"] == 3
    giving_up.give_up(later(hours=13, minutes=1))
    assert figures(sync)["errored"] == 3


def test_an_audience_whose_turn_is_far_away_is_created_when_it_comes(ad_account, sandbox):
    now = timezone.now()
    made = creating.create(ad_account, "Spring buyers", "", now)
    assert (made.state, made.failure) == (Audience.State.CREATING, "")
    assert made.target_id  # the first of two requests was made, the second waits
    assert 95 < (made.lease_until - now).total_seconds() < 101
    free_the_slot()
    upkeep.keep(now + timedelta(seconds=102))
    made.refresh_from_db()
    assert made.state == Audience.State.READY
    assert [found.name for found in sandbox.world.audiences.values()].count("Spring buyers") == 1
    assert AdAccount.objects.get().state == AdAccount.State.CONNECTED


def test_deliveries_are_as_complete_as_ever(workspace, audience, sandbox, settings):
    settings.PINTEREST_TRIAL_LIMIT = (1000, 10)
    sync, chosen = sync_to(audience), people(workspace, 40)
    settings.USERS_PER_REQUEST = 10
    let_in(sync, chosen)
    deliver()
    assert figures(sync) == {"entered": 40, "synced": 40, "not_synced": 0, "pending": 0, "errored": 0}
    assert records_at(sandbox.world, audience) == records_of(chosen)
