"""The users behind a number, another chance for them, and what happened to one person."""

from datetime import timedelta

import pytest
from django.db import transaction
from django_q.models import OrmQ

from canvas import journeys
from canvas.analytics import metrics, person, retrying, streams
from canvas.analytics.places import Place, read_place
from canvas.analytics.users import Wanted, find, users
from canvas.models import Canvas
from integrations import retrying as many
from integrations import tasks
from integrations.models import Arrival, Batch, Delivery
from pinsync.profiles.models import Profile
from tests.canvas.analytics.sending import errored, settle
from tests.canvas.conftest import HOUR, NOON, add, make_profile, people

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def names(step, state, **how) -> list[str]:
    return [line.label for line in users(step, Wanted(state, **how)).lines]


def walk(step, state, **how) -> list[str]:
    """Return the users of all pages."""
    found, after = [], ""
    for _page in range(200):
        page = users(step, Wanted(state, **how), after=after)
        found += [line.label for line in page.lines]
        after = page.older
        if not after:
            return found
    raise AssertionError("The pages do not end.")


def test_pages_join_without_a_gap_or_a_repetition(launched, workspace, step, monkeypatch):
    for number in range(4):
        journeys.enter(launched, people(workspace, 30, start=100 + 30 * number), source="api", now=NOON)
        settle(step.sync, 20, now=NOON)
        errored(step.sync, 1, now=NOON, reason="record_refused")
    expected = {state: sorted(walk(step, state)) for state in ("entered", "synced", "pending", "errored", "not_synced")}
    found = metrics(step)
    assert {state: len(walk(step, state)) for state in expected} == {
        "entered": found.entered,
        "synced": found.synced,
        "pending": found.pending,
        "errored": found.errored,
        "not_synced": found.not_synced,
    }
    for module in ("canvas.analytics.streams", "canvas.analytics.users"):
        monkeypatch.setattr(f"{module}.PAGE", 7)
    for window, batches in ((streams.WINDOW, streams.BATCHES), (3, 2)):  # the second: each page looks at very little
        monkeypatch.setattr(streams, "WINDOW", window)
        monkeypatch.setattr(streams, "BATCHES", batches)
        for state, everybody in expected.items():
            assert sorted(walk(step, state)) == everybody, state


def test_pages_end_though_one_batch_is_more_than_a_page_looks_at(launched, workspace, step, monkeypatch):
    """Another partner may take more users in a request than one page looks at."""
    journeys.enter(launched, people(workspace, 30, start=100), source="api", now=NOON)
    for _ in range(3):
        errored(step.sync, 9, now=NOON, reason="audience_gone")
    expected = {state: sorted(walk(step, state)) for state in ("pending", "errored")}
    assert len(expected["errored"]) == metrics(step).errored == 28
    for name, most in (("AT_ONCE", 5), ("WINDOW", 5), ("PAGE", 4)):
        monkeypatch.setattr(streams, name, most)
    monkeypatch.setattr("canvas.analytics.users.PAGE", 4)
    for state, everybody in expected.items():
        assert sorted(walk(step, state)) == everybody, state


def test_a_search_in_a_state_looks_behind_the_latest_entries(launched, step, monkeypatch):
    """A user of a recurring Canvas was synced once, and refused ever since."""
    Canvas.objects.filter(pk=launched.pk).update(reentry=True)
    again = Profile.objects.filter(external_id="u0")
    errored(step.sync, 2, now=NOON, reason="audience_gone")  # who waited before
    for _ in range(3):
        journeys.enter(launched, again, source="api", now=NOON)
        errored(step.sync, 1, now=NOON, reason="audience_gone")
    journeys.enter(launched, again, source="api", now=NOON)
    monkeypatch.setattr(streams, "PAGE", 1)
    assert [line.state for line in find(step, "u0", Wanted())] == ["pending", "errored", "errored"]
    for state, found in (("synced", 1), ("pending", 1), ("errored", 2), ("not_synced", 0)):
        assert [line.state for line in find(step, "u0", Wanted(state))] == [state] * found
    assert len(find(step, "u0", Wanted("errored", why="audience_gone"))) == 2
    assert find(step, "u0", Wanted("errored", why="record_refused")) == []
    sent = Batch.objects.filter(state="accepted").latest("pk")
    assert [line.batch for line in find(step, "u0", Wanted(batch=sent.pk))] == [sent]


def test_a_state_that_is_rare_is_found_batch_by_batch(launched, step, monkeypatch):
    monkeypatch.setattr("canvas.analytics.users.RARE", 1)
    assert sorted(names(step, "synced")) == ["u0", "u1"]


def test_lists_show_only_the_users_of_their_step(launched, workspace, audience):
    """Two steps that feed one audience share batches."""
    second = add(launched, "audience_sync", audience=audience)
    journeys.enter(launched, people(workspace, 4, start=50), source="api", now=NOON)
    first = launched.steps.select_related("sync", "canvas__workspace").get(position=1)
    settle(first.sync, 10, now=NOON)
    assert Delivery.objects.filter(batch=Batch.objects.latest("pk")).values("sync").distinct().count() == 2
    assert set(walk(second, "synced")) == {"u50", "u51", "u52", "u53"}
    assert set(walk(second, "entered")) >= {"u50", "u0"} - {"u0"}
    assert walk(second, "errored") == []


def test_users_before_their_batch_are_found_though_the_step_names_another_audience_now(launched, step, ad_account):
    other = type(step.sync.audience).objects.create(
        ad_account=ad_account, external_id="9", target_id="9", name="Other", seen_at=NOON
    )
    type(step.sync).objects.filter(pk=step.sync_id).update(audience=other)
    step.sync.refresh_from_db()
    assert sorted(names(step, "pending")) == ["u3", "u4", "u5"]
    assert names(step, "errored") == ["u2"]


def test_a_line_says_why_and_in_which_batch(launched, step):
    (line,) = users(step, Wanted("errored")).lines
    assert (line.label, line.state, line.reason.code, line.batch.http_status) == (
        "u2",
        "errored",
        "record_refused",
        400,
    )
    (line,) = users(step, Wanted("not_synced")).lines
    assert (line.label, line.reason.code, line.batch) == ("blank", "no_usable_field", None)
    assert [line.reason for line in users(step, Wanted("synced")).lines] == [None, None]


def test_a_deleted_profile_keeps_its_line(launched, step):
    Profile.objects.filter(external_id="u2").delete()
    (line,) = users(step, Wanted("errored")).lines
    assert (line.exists, line.label) == (False, f"#{line.profile_id}")


def test_searching_finds_by_the_beginning_of_an_external_id_and_in_one_state(launched, step):
    assert sorted(line.label for line in find(step, "u", Wanted())) == ["u0", "u1", "u2", "u3", "u4", "u5"]
    assert [line.label for line in find(step, "u", Wanted("errored"))] == ["u2"]
    assert find(step, "nobody", Wanted()) == []


@pytest.mark.parametrize(
    "text", ["", "x0-1", "d", "d0", "d0-", "d-1", "d0-x", "d0-99999999999999999999", "d0-²", "a0--1"]
)
def test_a_place_that_makes_no_sense_is_the_beginning(text):
    assert read_place(text, "abd") is None


def test_a_place_is_read_as_it_was_written():
    place = Place("b", 17, 4)
    assert read_place(str(place), "ab") == place
    assert read_place(str(place), "ad") is None


def test_who_waits_in_a_delay_is_listed_in_the_order_of_going_on(canvas, workspace, monkeypatch):
    delay = add(canvas, "delay", amount=1, unit="hours")
    Canvas.objects.filter(pk=canvas.pk).update(state="active", launched_at=NOON)
    late, early = people(workspace, 6), Profile.objects.filter(external_id__in=["u0", "u1", "u2"])
    journeys.enter(canvas, late.exclude(pk__in=early.values("pk")), source="api", now=NOON + MINUTE)
    journeys.enter(canvas, early, source="api", now=NOON)
    monkeypatch.setattr("canvas.analytics.users.PAGE", 2)
    assert walk(delay, "waiting") == ["u0", "u1", "u2", "u3", "u4", "u5"]


def test_pages_of_who_waits_go_on_though_the_last_one_has_gone_on(canvas, workspace, monkeypatch):
    delay = add(canvas, "delay", amount=1, unit="hours")
    Canvas.objects.filter(pk=canvas.pk).update(state="active", launched_at=NOON)
    journeys.enter(canvas, people(workspace, 5), source="api", now=NOON)
    monkeypatch.setattr("canvas.analytics.users.PAGE", 2)
    first = users(delay, Wanted("waiting"))
    journeys.leave(canvas, Profile.objects.filter(external_id="u1"), now=NOON + MINUTE)
    second = users(delay, Wanted("waiting"), after=first.older)
    assert [[line.label for line in shown.lines] for shown in (first, second)] == [["u0", "u1"], ["u2", "u3"]]


def test_what_happened_to_a_person_is_told_newest_first(launched, workspace, step, audience):
    add(launched, "audience_sync", audience=audience, operation="remove")
    refused = workspace.profiles.get(external_id="u2")
    Arrival.objects.create(
        sync=step.sync,
        profile=refused,
        audience=audience,
        operation="remove",
        match_fields=1,
        entered_at=NOON + HOUR,
    )
    found = person.happenings(refused).happenings
    assert [(each.line.state, str(each.line.operation), each.step) for each in found] == [
        ("pending", "Remove Users from Audience", step),
        ("errored", "Add Users to Audience", step),
    ]
    assert person.panel(make_saved(workspace, "new")) is None


def make_saved(workspace, external_id):
    profile = make_profile(workspace, external_id)
    profile.save()
    return profile


def test_many_errored_users_are_retried_by_a_worker_in_parts(
    launched, workspace, step, erin, monkeypatch, django_capture_on_commit_callbacks
):
    journeys.enter(launched, people(workspace, 6, start=80), source="api", now=NOON)
    for _ in range(4):
        errored(step.sync, 1, now=NOON, reason="record_refused")
    monkeypatch.setattr(many, "AT_ONCE", 2)
    monkeypatch.setattr(tasks, "RETRY_SECONDS", 0)  # one batch a task
    with django_capture_on_commit_callbacks(execute=True):
        assert retrying.retry_step(step, "", erin, NOON) is None
    assert metrics(step).errored == 5
    left = []
    while doorbell := OrmQ.objects.first():
        rung = doorbell.task
        doorbell.delete()
        if rung["func"] == many.TASK:
            tasks.retry(*rung["args"])
            left.append(metrics(step).errored)
    assert left == [4, 3, 2, 1, 0, 0]
    assert metrics(step).pending == 13 - 1 - 2


def test_whoever_was_asked_the_opposite_since_is_not_offered_for_retry(launched, workspace, step, audience):
    refused = workspace.profiles.get(external_id="u2")
    assert retrying.would_retry(step, "") == 1
    with transaction.atomic():
        Arrival.objects.create(
            sync=step.sync, profile=refused, audience=audience, operation="remove", match_fields=1, entered_at=NOON
        )
    assert (retrying.errored(step, ""), retrying.would_retry(step, "")) == (1, 0)
