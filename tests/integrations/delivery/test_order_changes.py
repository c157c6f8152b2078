"""Users whose data changes: what is sent, what leaves the audience and what comes in, by itself."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from integrations.delivery import claiming, correcting, giving_up, retrying, sending
from integrations.delivery.limits import limits_of
from integrations.models import Attempt, Batch, Connection, Correction
from pinsync.profiles.matching import email_record
from pinsync.profiles.models import Profile, RecordChange
from pinsync.profiles.rows import make_row
from pinsync.profiles.upserting import write
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
    records_at,
    records_of,
    retry,
    sync_to,
)

NEW = "new@example.com"


def change(profiles, email=NEW, **values):
    """Give profiles other values, as an import or the API would."""
    found = list(profiles)
    rows = [make_row(one.external_id, email.format(n=n), values.get("idfa", ""), "", {}) for n, one in enumerate(found)]
    with transaction.atomic():
        write(found[0].workspace, rows, run=None, now=timezone.now())


def claim(audience, operation, now=None):
    return claiming.claim(audience.pk, operation, limits=limits_of("pinterest"), fresh=True, now=now or timezone.now())


def nothing_waits():
    return not RecordChange.objects.exists() and not Correction.objects.exists()


@pytest.fixture
def ann(workspace):
    return people(workspace, 1, name="ann")


@pytest.fixture
def add(audience):
    return sync_to(audience, "add")


@pytest.fixture
def remove(audience):
    return sync_to(audience, "remove")


def test_between_entry_and_sending_the_address_of_the_moment_of_sending_counts(audience, sandbox, ann, add):
    let_in(add, ann)
    change(ann)
    deliver()
    assert records_at(sandbox.world, audience) == {email_record(NEW)}
    assert Attempt.objects.count() == 1  # nothing was sent before, so nothing is corrected
    assert nothing_waits()


def test_after_being_synced_the_old_record_leaves_and_the_new_one_comes_in(audience, sandbox, ann, add):
    let_in(add, ann)
    deliver()
    before = figures(add)
    change(ann)
    deliver()
    assert records_at(sandbox.world, audience) == {email_record(NEW)}
    assert figures(add) == before
    made = Batch.objects.filter(is_correction=True).order_by("operation")
    assert list(made.values_list("operation", "users", "records", "state")) == [
        ("add", 0, 1, "accepted"),
        ("remove", 0, 1, "accepted"),
    ]
    assert nothing_waits()


def test_only_the_audiences_that_a_user_was_sent_to_are_corrected(ad_account, audience, workspace, sandbox, ann, add):
    other = audience_named("Other", ad_account, sandbox.world)
    let_in(sync_to(other), people(workspace, 1, name="somebody"))
    let_in(add, ann)
    deliver()
    change(ann)
    deliver()
    assert set(Batch.objects.filter(is_correction=True).values_list("audience", flat=True)) == {audience.pk}


def test_a_field_that_is_not_sent_corrects_nothing(audience, sandbox, ann, add):
    let_in(add, ann)
    deliver()
    change(ann, email="", idfa="6d92078a-8246-4ba4-ae5b-76104861e7dc")
    deliver()
    assert not Batch.objects.filter(is_correction=True).exists()
    assert nothing_waits()


def test_a_value_that_comes_later_is_sent_too(audience, sandbox, ann):
    let_in(sync_to(audience, "add", EVERYTHING), ann)
    deliver()
    change(ann, email="", idfa="6d92078a-8246-4ba4-ae5b-76104861e7dc")
    deliver()
    one = ann.get()
    assert records_at(sandbox.world, audience) == {one.email_record, one.idfa_record}


def test_an_address_that_became_unusable_leaves_and_the_next_one_comes_in(audience, sandbox, ann, add):
    let_in(add, ann)
    deliver()
    change(ann, email="n/a")
    deliver()
    assert records_at(sandbox.world, audience) == set()
    change(ann)
    deliver()
    assert records_at(sandbox.world, audience) == {email_record(NEW)}


def test_whoever_changes_there_and_back_stays(audience, sandbox, ann, add):
    old = ann.get().email
    let_in(add, ann)
    deliver()
    change(ann)
    change(ann, email=old)
    deliver()
    assert records_at(sandbox.world, audience) == {email_record(old)}


def test_a_record_that_a_twin_still_has_stays(workspace, audience, sandbox, add):
    twins = people(workspace, 2, email="same@example.com")
    let_in(add, twins)
    deliver()
    change(Profile.objects.filter(pk=twins[0].pk))
    deliver()
    assert records_at(sandbox.world, audience) == {email_record("same@example.com"), email_record(NEW)}


def test_a_record_that_a_twin_has_who_was_never_sent_leaves(workspace, audience, sandbox, add):
    twins = people(workspace, 2, email="same@example.com")
    let_in(add, Profile.objects.filter(pk=twins[0].pk))
    deliver()
    change(Profile.objects.filter(pk=twins[0].pk))
    deliver()
    assert records_at(sandbox.world, audience) == {email_record(NEW)}


def test_whoever_was_taken_out_does_not_come_in_with_a_new_address(audience, sandbox, ann, add, remove):
    let_in(add, ann)
    deliver()
    let_in(remove, ann)
    deliver()
    change(ann)
    deliver()
    assert records_at(sandbox.world, audience) == set()


def test_a_removal_that_waits_takes_out_both_records(audience, sandbox, ann, add, remove):
    let_in(add, ann)
    deliver()
    let_in(remove, ann)
    change(ann)
    deliver()
    assert figures(remove)["synced"] == 1
    assert records_at(sandbox.world, audience) == set()


def test_an_address_that_changes_in_flight_is_corrected_behind_the_answer(audience, sandbox, ann, add):
    let_in(add, ann)
    in_flight = claim(audience, "add")
    change(ann)
    correcting.follow(timezone.now())
    assert not Batch.objects.filter(is_correction=True).exists()
    sending.send(in_flight.batch, in_flight.records)
    deliver()
    assert records_at(sandbox.world, audience) == {email_record(NEW)}
    assert nothing_waits()


def test_an_address_that_changes_after_a_lost_answer_is_corrected_behind_the_retry(audience, sandbox, ann, add):
    let_in(add, ann)
    break_it(sandbox, "drop_answer", count=1)
    deliver()
    change(ann)
    deliver()
    deliver(later(minutes=1))
    assert figures(add)["synced"] == 1
    assert records_at(sandbox.world, audience) == {email_record(NEW)}


def test_an_address_that_changes_after_a_lost_answer_leaves_though_the_user_was_given_up(audience, sandbox, ann, add):
    let_in(add, ann)
    break_it(sandbox, "drop_answer", count=1)
    deliver()
    giving_up.give_up(later(hours=14))
    change(ann)
    deliver()
    assert figures(add)["errored"] == 1
    assert records_at(sandbox.world, audience) == set()
    retry(add, now=timezone.now())
    deliver()
    assert records_at(sandbox.world, audience) == {email_record(NEW)}


@pytest.mark.parametrize("fault", ["outage", "drop_answer"])
def test_a_correction_is_tried_again_and_nobody_overtakes_it(audience, sandbox, ann, add, remove, fault):
    let_in(add, ann)
    deliver()
    change(ann)
    break_it(sandbox, fault, **({"status": 503} if fault == "outage" else {"count": 2}))
    deliver()
    mend(sandbox)
    let_in(remove, ann)
    assert claim(audience, "remove") is None
    deliver(later(minutes=1))
    deliver(later(minutes=2))
    assert figures(remove)["synced"] == 1
    assert records_at(sandbox.world, audience) == set()
    assert nothing_waits()


def test_one_refused_record_of_a_correction_stands_alone(workspace, audience, sandbox, add):
    crowd = people(workspace, 40)
    let_in(add, crowd)
    deliver()
    change(crowd, email="changed{n}@example.com")
    bad = email_record("changed7@example.com")
    break_it(sandbox, "refuse_record", digest=bad)
    deliver()
    assert records_at(sandbox.world, audience) == records_of(crowd) - {bad}
    errored = Batch.objects.get(state="errored")
    assert (errored.is_correction, errored.users, errored.records, errored.reason) == (True, 0, 1, "record_refused")
    mend(sandbox)
    assert retrying.retry_batch(errored, now=timezone.now()) == 1
    deliver()
    assert records_at(sandbox.world, audience) == records_of(crowd)
    assert nothing_waits()


def test_corrections_are_given_up_and_made_again_with_the_users(workspace, audience, sandbox, ann, add):
    let_in(add, ann)
    deliver()
    change(ann)
    break_it(sandbox, "outage", status=500)
    deliver()
    let_in(add, people(workspace, 1, name="late"), now=timezone.now() - timedelta(hours=14))
    giving_up.give_up(later(hours=14))
    assert Batch.objects.filter(state="errored", is_correction=True).count() == 2
    deliver(later(hours=15))
    mend(sandbox)
    assert records_at(sandbox.world, audience) == {email_record("ann0@example.com")}
    assert retry(add, reason="partner_unavailable", now=timezone.now()) == 1
    deliver()
    assert records_at(sandbox.world, audience) == records_of(Profile.objects.filter(workspace=workspace))
    assert nothing_waits()


def test_a_retried_correction_sends_what_is_right_now(audience, sandbox, ann, add, remove):
    let_in(add, ann)
    deliver()
    change(ann)
    Connection.objects.update(state=Connection.State.BROKEN)
    correcting.follow(timezone.now())
    giving_up.give_up(later(hours=14))
    Connection.objects.update(state=Connection.State.CONNECTED)
    let_in(remove, ann)
    deliver()
    assert sum(map(correcting.retry_batch, Batch.objects.filter(state="errored", is_correction=True))) == 2
    deliver()
    assert records_at(sandbox.world, audience) == set()
    assert nothing_waits()


def test_many_changes_travel_a_few_batches_at_a_time(workspace, audience, sandbox, settings, add):
    settings.RECORDS_PER_REQUEST = 2
    crowd = people(workspace, 20)
    let_in(add, crowd)
    deliver()
    change(crowd, email="changed{n}@example.com")
    assert correcting.follow(timezone.now()) == correcting.MOST_OPEN
    assert correcting.follow(timezone.now()) == 0
    deliver()
    assert records_at(sandbox.world, audience) == records_of(crowd)
    assert max(Batch.objects.filter(is_correction=True).values_list("records", flat=True)) == 2


def test_a_profile_that_is_gone_stops_nothing(workspace, audience, sandbox, ann, add):
    let_in(add, ann)
    deliver()
    old = ann.get().email_record
    change(ann)
    ann.delete()
    deliver()
    assert old not in records_at(sandbox.world, audience)
    assert nothing_waits()
