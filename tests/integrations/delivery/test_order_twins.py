"""Two profiles that share a record are one person at the partner: the last intent for the record wins."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.delivery import asked, claiming, giving_up, moving, sending
from integrations.delivery.limits import limits_of
from integrations.delivery.plans import by_index
from integrations.models import Batch, Connection
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
    retry,
    sync_to,
)

SAME = "same@example.com"
BOTH = pytest.mark.parametrize(("first", "last"), [("add", "remove"), ("remove", "add")])


@pytest.fixture
def ann(workspace):
    return people(workspace, 1, name="ann", email=SAME)


@pytest.fixture
def twin(workspace):
    return people(workspace, 1, name="twin", email=SAME)


def claim(audience, operation, now=None):
    return claiming.claim(audience.pk, operation, limits=limits_of("pinterest"), fresh=True, now=now or timezone.now())


def left(last):
    """Return what the list holds when this was the last intent."""
    return {email_record(SAME)} if last == "add" else set()


@BOTH
def test_of_twins_that_both_wait_the_later_intent_is_sent_last(audience, sandbox, ann, twin, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, ann)
    let_in(other, twin)
    deliver()
    assert (figures(one)["synced"], figures(other)["synced"]) == (1, 1)  # nothing collapses
    assert records_at(sandbox.world, audience) == left(last)


@BOTH
def test_a_twin_waits_for_what_is_in_flight(audience, sandbox, ann, twin, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, ann)
    under_way = claim(audience, first)
    let_in(other, twin)
    assert claim(audience, last) is None
    assert sending.send(under_way.batch, under_way.records)
    deliver()
    assert records_at(sandbox.world, audience) == left(last)


@BOTH
def test_a_twin_waits_for_what_is_retried(audience, sandbox, ann, twin, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, ann)
    break_it(sandbox, "drop_answer", count=1)
    deliver()
    let_in(other, twin)
    deliver()
    assert figures(other)["pending"] == 1
    deliver(later(minutes=1))
    assert (figures(one)["synced"], figures(other)["synced"]) == (1, 1)
    assert records_at(sandbox.world, audience) == left(last)


@BOTH
def test_a_twin_waits_for_the_halves_of_a_split_batch(workspace, audience, sandbox, ann, twin, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    bad = people(workspace, 1, name="bad")
    let_in(one, ann | bad)
    break_it(sandbox, "refuse_record", digest=bad[0].email_record)
    refused = claim(audience, first)
    sending.send(refused.batch, refused.records)
    assert Batch.objects.get(pk=refused.batch.pk).state == Batch.State.SPLIT
    let_in(other, twin)
    assert claim(audience, last) is None
    deliver()
    assert figures(one) == {"entered": 2, "synced": 1, "not_synced": 0, "pending": 0, "errored": 1}
    assert records_at(sandbox.world, audience) == left(last)


@pytest.mark.parametrize("fields", ["idfa", "gaid"])
def test_twins_by_an_ad_id_are_twins_and_what_they_do_not_share_is_left_alone(workspace, audience, sandbox, fields):
    shared = {fields: "6d92078a-8246-4ba4-ae5b-76104861e7dc"}
    ann, twin = people(workspace, 1, name="ann", **shared), people(workspace, 1, name="twin", **shared)
    let_in(sync_to(audience, "add", EVERYTHING), ann)
    let_in(sync_to(audience, "remove", EVERYTHING), twin)
    deliver()
    assert records_at(sandbox.world, audience) == {ann[0].email_record}


def test_who_shares_a_field_that_is_not_sent_waits_for_nobody(workspace, audience, sandbox):
    shared = {"idfa": "6d92078a-8246-4ba4-ae5b-76104861e7dc"}
    ann, other = people(workspace, 1, name="ann", **shared), people(workspace, 1, name="other", **shared)
    let_in(sync_to(audience, "add", EVERYTHING), ann)
    let_in(sync_to(audience, "remove"), other)  # by e-mail
    assert claim(audience, "remove") is not None


def test_twins_in_different_audiences_wait_for_nobody(ad_account, audience, sandbox, ann, twin):
    elsewhere = audience_named("Elsewhere", ad_account, sandbox.world)
    let_in(sync_to(audience, "add"), ann)
    let_in(sync_to(elsewhere, "remove"), twin)
    let_in(sync_to(elsewhere, "add"), ann)
    assert claim(elsewhere, "remove") is not None


def test_those_behind_many_who_wait_for_their_twins_are_sent(workspace, audience, sandbox, settings):
    settings.USERS_PER_REQUEST = 4
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    twins = [people(workspace, 6, name=name, email="shared{n}@example.com") for name in ("a", "b")]
    free = people(workspace, 2, name="free")
    let_in(add, twins[0])
    let_in(remove, twins[1])
    let_in(remove, free)
    found = claim(audience, "remove")
    assert set(found.records) == {one.email_record for one in free}
    sending.send(found.batch, found.records)
    deliver()
    assert (figures(add)["synced"], figures(remove)["synced"]) == (6, 8)
    assert records_at(sandbox.world, audience) == set()


# --- retry -----------------------------------------------------------------------------------------------------


def give_up_and_come_back(now=None):
    Connection.objects.update(state=Connection.State.BROKEN)
    giving_up.give_up(now or later(hours=14))
    Connection.objects.update(state=Connection.State.CONNECTED)


@BOTH
def test_a_retry_does_not_undo_the_later_intent_of_a_twin(audience, sandbox, ann, twin, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, ann)
    give_up_and_come_back()
    let_in(other, twin)
    deliver()
    retry(one, now=timezone.now())
    deliver()
    assert reasons(one) == {"superseded": 1}
    assert figures(other)["synced"] == 1
    assert records_at(sandbox.world, audience) == left(last)


def test_a_retry_sends_what_the_twin_does_not_share(workspace, audience, sandbox, twin):
    ann = people(workspace, 1, name="ann", email=SAME, idfa="6d92078a-8246-4ba4-ae5b-76104861e7dc")
    add, remove = sync_to(audience, "add", EVERYTHING), sync_to(audience, "remove")
    let_in(add, ann)
    give_up_and_come_back()
    let_in(remove, twin)
    deliver()
    retry(add, now=timezone.now())
    deliver()
    assert (figures(add)["synced"], figures(remove)["synced"]) == (1, 1)
    assert records_at(sandbox.world, audience) == {ann[0].idfa_record}


@BOTH
@pytest.mark.parametrize("earlier_first", [True, False])
def test_twins_that_were_given_up_together_are_retried_to_the_last_intent(
    audience, sandbox, ann, twin, first, last, earlier_first
):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, ann)
    let_in(other, twin)
    for _ in range(2):  # whoever waits for a twin is given up behind it
        give_up_and_come_back()
    for sync in (one, other) if earlier_first else (other, one):
        assert retry(sync, now=timezone.now()) == 1
    deliver()
    assert figures(one)["pending"] == figures(other)["pending"] == 0
    assert figures(other)["synced"] == 1
    assert records_at(sandbox.world, audience) == left(last)


@BOTH
@pytest.mark.parametrize("shared", [False, True])
def test_a_retry_waits_for_the_earlier_request_that_is_in_flight(audience, sandbox, ann, twin, first, last, shared):
    one, other = sync_to(audience, first), sync_to(audience, last)
    now = timezone.now()
    let_in(one, ann, now=now)
    in_flight = claim(audience, first, now)
    let_in(other, twin if shared else ann, now=now - timedelta(hours=14))
    giving_up.give_up(now)
    assert figures(other)["errored"] == 1
    assert retry(other, now=now) == 1
    assert claim(audience, last, now) is None
    assert sending.send(in_flight.batch, in_flight.records)
    deliver(later(seconds=6))
    assert (figures(one)["synced"], figures(other)["synced"]) == (1, 1)
    assert records_at(sandbox.world, audience) == left(last)


@BOTH
@pytest.mark.parametrize("shared", [False, True])
def test_what_waits_is_not_sent_behind_a_later_intent_that_was_given_up(
    audience, sandbox, ann, twin, first, last, shared
):
    one, other = sync_to(audience, first), sync_to(audience, last)
    now = timezone.now()
    let_in(one, ann, now=now)
    break_it(sandbox, "outage", status=503)
    deliver()
    let_in(other, twin if shared else ann, now=now - timedelta(hours=14))
    giving_up.give_up(now)
    mend(sandbox)
    retry(other, now=now)
    deliver(later(minutes=1))
    assert reasons(one) == {"superseded": 1}
    assert records_at(sandbox.world, audience) == left(last)


# --- cost ------------------------------------------------------------------------------------------------------


def test_nobody_looks_for_twins_where_there_are_only_additions(workspace, audience, ann, twin):
    let_in(sync_to(audience, "add"), Profile.objects.filter(workspace=workspace))
    with CaptureQueriesContext(database) as queries:
        assert claim(audience, "add") is not None
    assert [query["sql"] for query in queries if "workspace_id" in query["sql"]] == []


def plans_of(work, table):
    """Return how the database means to answer the questions about a table that `work` asks."""
    plans: list[str] = []

    def explain(execute, sql, params, many, context):
        if table in sql:
            how = (
                f"EXPLAIN {sql}" if database.vendor == "postgresql" else f"EXPLAIN QUERY PLAN {sql}".replace("%s", "?")
            )
            found = database.connection.execute(how, params)
            plans.append(" ".join(str(step) for step in found.fetchall()))
        return execute(sql, params, many, context)

    with database.execute_wrapper(explain):
        work()
    return plans


def test_twins_are_found_through_the_indexes_of_records(workspace, audience):
    wanted = {people(workspace, 3000)[0].email_record, "ab" * 32}
    plans = plans_of(lambda: asked.holders(audience.pk, wanted), "profiles_profile p")
    for index, plan in zip(("profile_by_email", "profile_by_idfa", "profile_by_gaid"), plans, strict=True):
        assert index in plan


def test_what_profiles_wait_for_is_found_by_profile_and_not_in_the_lane(workspace, audience):
    crowd = people(workspace, 3000)
    let_in(sync_to(audience, "add"), crowd)
    some = set(crowd.values_list("pk", flat=True)[:50])
    (plan,) = plans_of(lambda: moving.of_profiles(some, audience.pk, "add"), "integrations_arrival")
    assert "arrival_of_profile" in plan
    with by_index():
        (plan,) = plans_of(lambda: moving.of_profiles(some, audience.pk, "add"), "integrations_arrival")
    assert "arrival_of_profile" in plan
