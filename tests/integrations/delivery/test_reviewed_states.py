"""Nobody is stuck, nobody is counted where they are not: the corners in which that once happened."""

from datetime import timedelta

from django.utils import timezone

from integrations.delivery import claiming, giving_up, pacing, retrying, settling
from integrations.delivery.limits import limits_of
from integrations.models import Attempt, Audience, Batch, Connection, Pace
from pinsync.profiles.models import Profile
from tests.helpers import (
    EVERYTHING,
    break_it,
    deliver,
    figures,
    later,
    let_in,
    mend,
    people,
    reasons,
    records_at,
    retry,
    sync_to,
)


def test_a_batch_of_a_dead_sender_is_given_up_though_nothing_may_be_sent(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    Connection.objects.update(state=Connection.State.BROKEN)  # and the sender is dead
    giving_up.give_up(later(hours=14))
    assert figures(sync) == {"entered": 3, "synced": 0, "not_synced": 0, "pending": 0, "errored": 3}
    assert reasons(sync) == {"invalid_token": 3}


def test_whoever_waits_for_an_audience_that_was_removed_here_ends_and_holds_up_nobody(workspace, audience, ad_account):
    removed, kept = sync_to(audience), sync_to(Audience.objects.create(ad_account=ad_account, seen_at=timezone.now(),
        name="Other", external_id="9", target_id="9"))  # fmt: skip
    let_in(removed, people(workspace, 3))
    let_in(kept, people(workspace, 2, name="other"))
    Audience.objects.filter(pk=audience.pk).delete()
    assert giving_up.give_up(timezone.now()) == 1
    assert figures(removed) == {"entered": 3, "synced": 0, "not_synced": 3, "pending": 0, "errored": 0}
    assert reasons(removed) == {"audience_removed": 3}
    assert retrying.would_take(retrying.errored_of_sync(removed), at_most=100) == 0
    assert giving_up.why_waiting(audience.pk, "add") == "audience_gone"
    assert giving_up.give_up(later(hours=14)) == 1
    assert figures(kept)["errored"] == 2


def test_a_batch_that_is_being_sent_is_not_given_up(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3), now=timezone.now() - timedelta(hours=14))
    now = timezone.now()
    assert claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=now) is not None
    giving_up.give_up(now)
    assert figures(sync)["pending"] == 3


def test_whoever_is_given_up_before_a_first_attempt_can_be_retried_by_reason(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    assert claim is not None
    settling.postpone(claim.batch, timedelta(hours=15), now=timezone.now())
    giving_up.give_up(later(hours=14))
    assert reasons(sync) == {"partner_unavailable": 3}
    assert retrying.errored_of_sync(sync, "partner_unavailable").wanted() == 3
    retry(sync, reason="partner_unavailable", now=timezone.now())
    deliver()
    assert figures(sync)["synced"] == 3
    assert reasons(sync) == {}


def test_a_value_that_became_unusable_while_a_batch_waited_is_not_synced(workspace, audience, sandbox):
    sync = sync_to(audience)
    chosen = people(workspace, 4)
    let_in(sync, chosen)
    break_it(sandbox, "outage", status=503)
    deliver()
    mend(sandbox)
    Profile.objects.filter(pk=chosen[0].pk).update(email="", email_record=None)
    Profile.objects.filter(pk=chosen[1].pk).delete()
    deliver(later(minutes=1))
    assert figures(sync) == {"entered": 4, "synced": 2, "not_synced": 2, "pending": 0, "errored": 0}
    assert reasons(sync) == {"no_usable_field": 1, "profile_deleted": 1}
    batch = Batch.objects.get()
    assert (batch.state, batch.users, batch.records) == ("accepted", 2, 2)


def test_a_batch_of_which_nobody_is_left_makes_no_request(workspace, audience, sandbox):
    sync = sync_to(audience)
    chosen = people(workspace, 3)
    let_in(sync, chosen)
    break_it(sandbox, "outage", status=503)
    deliver()
    mend(sandbox)
    chosen.update(email="", email_record=None)
    deliver(later(minutes=1))
    assert figures(sync) == {"entered": 3, "synced": 0, "not_synced": 3, "pending": 0, "errored": 0}
    assert reasons(sync) == {"no_usable_field": 3}
    assert Attempt.objects.count() == 1
    assert not Batch.objects.filter(state__in=Batch.OPEN).exists()


def test_one_refused_record_of_many_users_ends_all_of_them_at_once(workspace, audience, sandbox):
    sync = sync_to(audience)
    same = people(workspace, 50, email="same@example.com")
    let_in(sync, same)
    break_it(sandbox, "refuse_record", digest=same[0].email_record)
    sent = deliver()
    assert figures(sync)["errored"] == 50
    assert reasons(sync) == {"record_refused": 50}
    assert sent == 1


def test_a_retry_keeps_to_the_records_of_one_request(workspace, audience, sandbox, settings):
    settings.RECORDS_PER_REQUEST = 6
    sync = sync_to(audience, fields=EVERYTHING)
    now = timezone.now()
    Profile.objects.bulk_create(
        Profile(
            workspace=workspace,
            external_id=str(n),
            email_record=f"{3 * n:064x}",
            idfa_record=f"{3 * n + 1:064x}",
            gaid_record=f"{3 * n + 2:064x}",
            created_at=now,
            updated_at=now,
        )
        for n in range(9)
    )
    let_in(sync, Profile.objects.filter(workspace=workspace))
    giving_up.give_up(later(hours=14))
    assert figures(sync)["errored"] == 9
    retry(sync, now=timezone.now())
    deliver()
    assert figures(sync)["synced"] == 9
    assert max(r.records for r in sandbox.log.requests if r.operation) <= 6
    assert len(records_at(sandbox.world, audience)) == 27


def test_a_user_with_more_records_than_a_request_holds_stops_nobody(workspace, audience, sandbox, settings):
    settings.RECORDS_PER_REQUEST = 2
    sync = sync_to(audience, fields=EVERYTHING)
    now = timezone.now()
    digests = [f"{n:064x}" for n in range(5)]
    Profile.objects.bulk_create(
        Profile(workspace=workspace, external_id=name, created_at=now, updated_at=now, **records)
        for name, records in {
            "wide": {"email_record": digests[0], "idfa_record": digests[1], "gaid_record": digests[2]},
            "narrow": {"email_record": digests[3]},
        }.items()
    )
    let_in(sync, Profile.objects.filter(workspace=workspace).order_by("pk"))
    deliver()
    assert figures(sync)["synced"] == 2
    assert records_at(sandbox.world, audience) == set(digests[:4])


# --- pace ------------------------------------------------------------------------------------------------------


def test_a_second_refusal_without_a_date_does_not_shorten_the_first(connection):
    pace = pacing.pace_of(connection)
    pacing.slow_down(pace, timedelta(hours=1))
    pacing.slow_down(pace, None)
    assert pacing.seconds_to_next_slot(pace) > 3500


def test_a_refusal_that_asks_for_no_wait_at_all_slows_down(connection):
    pace = pacing.pace_of(connection)
    pacing.slow_down(pace, timedelta())
    assert Pace.objects.get(pk=pace.pk).slowdown == 2
