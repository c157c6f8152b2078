"""The road of a user: entered, claimed, sent, settled. The sandbox's lists say what is true."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.delivery.lanes import due_lanes
from integrations.models import Arrival, Attempt, Batch, Delivery, SyncMinute, SyncTotals
from pinsync.profiles.matching import email_record
from pinsync.profiles.models import Profile
from tests.helpers import (
    EVERYTHING,
    audience_named,
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
    sync_to,
)


def test_users_with_a_usable_value_are_synced_and_the_others_are_not(workspace, audience, sandbox):
    sync = sync_to(audience)
    ann, nobody = people(workspace, 3, name="ann"), people(workspace, 2, name="nobody", email="n/a")

    let_in(sync, ann | nobody)
    assert figures(sync) == {"entered": 5, "synced": 0, "not_synced": 2, "pending": 3, "errored": 0}

    deliver()
    assert figures(sync) == {"entered": 5, "synced": 3, "not_synced": 2, "pending": 0, "errored": 0}
    assert reasons(sync) == {"no_usable_field": 2}
    assert records_at(sandbox.world, audience) == records_of(ann)


def test_everybody_who_entered_is_an_arrival_or_a_delivery(workspace, audience):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 4) | people(workspace, 1, name="blank", email=""))
    assert (Arrival.objects.count(), Delivery.objects.count()) == (4, 1)
    deliver()
    assert (Arrival.objects.count(), Delivery.objects.count()) == (0, 5)


def test_entering_takes_the_same_number_of_queries_for_one_and_for_many(workspace, audience):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 1, name="warm"))
    counts = []
    for number in (1, 3000):
        chosen = people(workspace, number, name=f"crowd{number}-")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            let_in(sync, chosen)
        counts.append(len([q for q in queries if "django_q" not in q["sql"]]))
    assert counts[0] == counts[1]


def test_a_batch_holds_as_many_users_as_their_records_allow(workspace, audience, sandbox, settings):
    settings.RECORDS_PER_REQUEST = 10
    sync = sync_to(audience, fields=EVERYTHING)
    digests = [f"{n:064x}" for n in range(60)]
    now = timezone.now()
    Profile.objects.bulk_create(
        Profile(
            workspace=workspace,
            external_id=str(n),
            email_record=digests[3 * n],
            idfa_record=digests[3 * n + 1],
            gaid_record=digests[3 * n + 2],
            created_at=now,
            updated_at=now,
        )
        for n in range(7)
    )
    let_in(sync, Profile.objects.filter(workspace=workspace))
    deliver()
    assert list(Batch.objects.order_by("pk").values_list("users", "records")) == [(3, 9), (3, 9), (1, 3)]
    assert records_at(sandbox.world, audience) == set(digests[:21])


def test_the_same_address_twice_is_one_record_and_two_users(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 1, name="a", email="same@example.com"))
    let_in(sync, people(workspace, 1, name="b", email=" Same@Example.com "))
    deliver()
    assert figures(sync)["synced"] == 2
    assert Batch.objects.get().records == 1
    assert records_at(sandbox.world, audience) == {email_record("same@example.com")}


def test_steps_that_feed_the_same_audience_share_a_batch(workspace, audience):
    first, second = sync_to(audience), sync_to(audience)
    let_in(first, people(workspace, 2, name="a"))
    let_in(second, people(workspace, 3, name="b"))
    deliver()
    assert Batch.objects.get().users == 5
    assert (figures(first)["synced"], figures(second)["synced"]) == (2, 3)


def test_users_wait_for_the_tick_unless_a_batch_is_full(workspace, audience, settings):
    sync = sync_to(audience)
    now = timezone.now()
    let_in(sync, people(workspace, 3), now=now)
    assert due_lanes(now=now, flushed_at=now - timedelta(seconds=1), full=4) == []
    assert len(due_lanes(now=now, flushed_at=now - timedelta(seconds=1), full=3)) == 1
    assert len(due_lanes(now=now, flushed_at=now, full=4)) == 1


# --- errors ----------------------------------------------------------------------------------------------------


def test_an_outage_leaves_users_pending_and_they_are_sent_when_it_is_over(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    break_it(sandbox, "outage", status=503)
    deliver()
    assert figures(sync)["pending"] == 3
    batch = Batch.objects.get()
    assert (batch.state, batch.reason, batch.attempts, batch.http_status) == ("waiting", "partner_unavailable", 1, 503)
    mend(sandbox)
    deliver(later(minutes=1))
    assert figures(sync)["synced"] == 3
    assert list(Attempt.objects.values_list("outcome", flat=True)) == ["partner_unavailable", "accepted"]


def test_a_lost_answer_is_sent_again_and_counted_once(workspace, audience, sandbox):
    sync = sync_to(audience)
    chosen = people(workspace, 3)
    let_in(sync, chosen)
    break_it(sandbox, "drop_answer", count=1)
    deliver()
    assert records_at(sandbox.world, audience) == records_of(chosen)
    assert figures(sync)["pending"] == 3
    deliver(later(minutes=1))
    assert figures(sync) == {"entered": 3, "synced": 3, "not_synced": 0, "pending": 0, "errored": 0}
    assert list(Attempt.objects.values_list("http_status", flat=True)) == [None, 200]


def test_a_rate_limit_is_no_failure_of_the_user(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    break_it(sandbox, "rate_limit", seconds=1)
    deliver()
    batch = Batch.objects.get()
    assert (batch.state, batch.reason, batch.attempts) == ("waiting", "rate_limited", 0)
    assert batch.gives_up_at > batch.oldest_entered_at + timedelta(hours=13)
    deliver(later(minutes=1))
    assert figures(sync)["synced"] == 3


def test_one_bad_record_errors_alone(workspace, audience, sandbox):
    sync = sync_to(audience)
    chosen = people(workspace, 100)
    bad = chosen[37]
    let_in(sync, chosen)
    break_it(sandbox, "refuse_record", digest=bad.email_record)
    sent = deliver()
    assert figures(sync) == {"entered": 100, "synced": 99, "not_synced": 0, "pending": 0, "errored": 1}
    assert reasons(sync) == {"record_refused": 1}
    assert Delivery.objects.get(batch__state="errored").profile_id == bad.pk
    assert records_at(sandbox.world, audience) == records_of(chosen) - {bad.email_record}
    assert sent - 1 <= 2 * 7  # log2(100) rounds of two halves


def test_a_user_is_given_up_thirteen_hours_after_entering(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    break_it(sandbox, "outage", status=500)
    deliver()
    deliver(later(hours=12, minutes=59))
    assert figures(sync)["pending"] == 3
    deliver(later(hours=13, minutes=1))
    assert figures(sync) == {"entered": 3, "synced": 0, "not_synced": 0, "pending": 0, "errored": 3}
    assert reasons(sync) == {"partner_unavailable": 3}


def test_only_those_whose_time_is_over_are_given_up(workspace, audience, sandbox):
    sync = sync_to(audience)
    now = timezone.now()
    let_in(sync, people(workspace, 2, name="old"), now=now - timedelta(hours=3))
    let_in(sync, people(workspace, 3, name="new"), now=now)
    break_it(sandbox, "outage", status=500)
    deliver()
    assert Batch.objects.get().users == 5
    deliver(now + timedelta(hours=10, seconds=1))
    assert figures(sync) == {"entered": 5, "synced": 0, "not_synced": 0, "pending": 3, "errored": 2}
    mend(sandbox)
    deliver(now + timedelta(hours=11))
    assert figures(sync) == {"entered": 5, "synced": 3, "not_synced": 0, "pending": 0, "errored": 2}


def test_a_dead_token_stops_the_calls_and_nobody_is_lost(workspace, audience, connection, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3, name="a"))
    break_it(sandbox, "revoke_token")
    deliver()
    let_in(sync, people(workspace, 2, name="b"))
    calls = len(sandbox.log.requests)
    deliver(later(minutes=30))
    assert len(sandbox.log.requests) == calls
    assert figures(sync)["pending"] == 5
    deliver(later(hours=14))
    assert len(sandbox.log.requests) == calls
    assert figures(sync) == {"entered": 5, "synced": 0, "not_synced": 0, "pending": 0, "errored": 5}
    assert reasons(sync) == {"invalid_token": 5}


def test_a_deleted_audience_is_said_to_be_gone(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 2))
    break_it(sandbox, "delete_audience", audience_id=audience.external_id)
    deliver()
    audience.refresh_from_db()
    assert audience.state == "gone"
    assert figures(sync)["pending"] == 2
    deliver(later(hours=14))
    assert reasons(sync) == {"audience_gone": 2}


def test_a_profile_deleted_while_waiting_is_not_synced(workspace, audience, sandbox):
    sync = sync_to(audience)
    chosen = people(workspace, 2)
    let_in(sync, chosen)
    Profile.objects.filter(pk=chosen[0].pk).delete()
    deliver()
    assert figures(sync) == {"entered": 2, "synced": 1, "not_synced": 1, "pending": 0, "errored": 0}
    assert reasons(sync) == {"profile_deleted": 1}


# --- order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["add", "remove"])
def test_opposite_intents_that_both_wait_collapse_to_the_last(workspace, audience, sandbox, last):
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    chosen = people(workspace, 3)
    first_in, last_in = (remove, add) if last == "add" else (add, remove)
    let_in(first_in, chosen)
    let_in(last_in, chosen)
    deliver()
    assert figures(last_in)["synced"] == 3
    assert reasons(first_in) == {"superseded": 3}
    assert records_at(sandbox.world, audience) == (records_of(chosen) if last == "add" else set())


def test_a_removal_waits_for_the_addition_that_is_under_way(workspace, audience, sandbox):
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    chosen = people(workspace, 3)
    let_in(add, chosen)
    break_it(sandbox, "drop_answer", count=1)
    deliver()
    let_in(remove, chosen)
    deliver()
    assert figures(remove)["pending"] == 3
    deliver(later(minutes=5))
    assert (figures(add)["synced"], figures(remove)["synced"]) == (3, 3)
    assert records_at(sandbox.world, audience) == set()


def test_removals_go_first_and_audiences_take_turns(workspace, audience, ad_account, sandbox, settings):
    settings.USERS_PER_REQUEST = 2
    other = audience_named("Suppressed", ad_account, sandbox.world)
    let_in(sync_to(audience), people(workspace, 6, name="many"))
    let_in(sync_to(other), people(workspace, 2, name="few"))
    let_in(sync_to(other, "remove"), people(workspace, 2, name="out"))
    deliver()
    order = [(r.operation, r.customer_list_id) for r in sandbox.log.requests if r.operation]
    assert order[0] == ("REMOVE", other.target_id)
    assert ("ADD", other.target_id) in order[1:3]


# --- figures ---------------------------------------------------------------------------------------------------


def test_the_database_refuses_figures_that_do_not_add_up(audience):
    sync = sync_to(audience)
    with pytest.raises(IntegrityError), transaction.atomic():
        SyncTotals.objects.create(sync=sync, entered=2, synced=1)


def test_minutes_add_up_to_the_totals(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3, name="a"), now=timezone.now() - timedelta(minutes=2))
    let_in(sync, people(workspace, 1, name="b", email="?"))
    deliver()
    minutes = SyncMinute.objects.filter(sync=sync)
    assert minutes.count() == 2
    for name, total in figures(sync).items():
        assert sum(minutes.values_list(name, flat=True)) == total
