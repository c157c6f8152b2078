"""What keeps a Canvas from being launched, what a launch would mean, and the moves between states."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from canvas import journeys, launching, previewing, schedules
from canvas.models import Canvas, Entry, Move
from canvas.steps import audience_sync
from integrations.delivery import pacing
from integrations.models import AdAccount, Arrival, Audience, AudienceSync, Connection
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.workspaces.models import AuditEvent
from tests.canvas.conftest import EVERYTHING, HOUR, NOON, add, make_profile, people
from tests.canvas.test_journeys import race

pytestmark = pytest.mark.django_db
State = Canvas.State


@pytest.fixture
def ready(canvas, audience):
    """A draft that can be launched."""
    add(canvas, "audience_sync", audience=audience)
    return canvas


def texts(canvas):
    return [problem.text for problem in launching.problems(canvas, NOON)]


def test_a_complete_draft_has_no_problems(ready):
    assert launching.problems(ready, NOON) == []


def test_a_canvas_needs_a_step(canvas):
    (problem,) = launching.problems(canvas, NOON)
    assert problem.text == "There is no step yet. Add one to the journey."
    assert problem.url == f"/w/shop/canvas/{canvas.pk}/"


def test_an_empty_step_leads_to_its_editor(canvas):
    step = add(canvas, "audience_sync")
    (problem,) = launching.problems(canvas, NOON)
    assert problem.text == "“Audience Sync”: Choose a partner."
    assert problem.url == f"/w/shop/canvas/{canvas.pk}/steps/{step.pk}/"


def test_a_delay_alone_can_be_launched(canvas):
    add(canvas, "delay")
    assert launching.problems(canvas, NOON) == []


@pytest.mark.parametrize(
    ("model", "changes", "expected"),
    [
        (Connection, {"state": "disconnected"}, "Pinterest is not connected. Connect it."),
        (Connection, {"state": "broken"}, "Pinterest refuses the token. Reconnect."),
        (Connection, {"paused_at": NOON}, "The connection to Pinterest is paused by staff."),
        (
            AdAccount,
            {"state": "available"},
            "The ad account “Shop Korea” is not connected. Add it on the partner page.",
        ),
        (
            AdAccount,
            {"may_write": False},
            "The connected person may not manage audiences in the ad account “Shop Korea”. Ask its admin.",
        ),
        (
            Audience,
            {"state": "gone"},
            "The audience “Winter buyers” does not exist any more. Recreate it, or choose another one.",
        ),
        (AudienceSync, {"audience": None}, "Choose an audience, or create one."),
        (AudienceSync, {"ad_account": None, "audience": None}, "Choose an ad account."),
        (AudienceSync, {"match_fields": 0}, "Choose at least one field to match on."),
    ],
)
def test_each_problem_of_a_sync_is_a_sentence_with_a_link(ready, alice, model, changes, expected):
    model.objects.update(**changes)
    found = {problem.text: problem.url for problem in launching.problems(ready, NOON)}
    assert found[f"“Audience Sync”: {expected}"].startswith("/w/shop/")
    with pytest.raises(launching.NotReady) as refusal:
        launching.launch(ready, alice, NOON)
    assert [problem.text for problem in refusal.value.problems] == list(found)
    assert Canvas.objects.get().state == State.DRAFT


def test_an_import_must_be_finished_before_its_users_can_enter(ready, workspace):
    run = Import.objects.create(workspace=workspace, name="customers.csv", state=Import.State.RUNNING)
    Canvas.objects.update(source_import=run)
    ready.refresh_from_db()
    assert texts(ready) == ["The import “customers.csv” is not finished."]
    Import.objects.update(state=Import.State.DONE)
    ready.refresh_from_db()
    assert texts(ready) == []


def test_a_cancelled_import_is_never_finished_and_another_audience_is_asked_for(ready, workspace):
    run = Import.objects.create(workspace=workspace, name="customers.csv", state=Import.State.CANCELLED)
    Canvas.objects.update(source_import=run)
    ready.refresh_from_db()
    assert texts(ready) == ["The import “customers.csv” was cancelled. Choose another target audience."]


def test_a_segment_whose_rules_make_no_sense_is_a_problem(ready, workspace):
    rule = {"field": "attribute:country", "operator": "text.nonsense", "value": "KR"}
    filters = {"match": "all", "groups": [{"match": "any", "rules": [rule]}]}
    segment = Segment.objects.create(workspace=workspace, name="Odd", filters=filters)
    Canvas.objects.update(segment=segment)
    ready.refresh_from_db()
    (text,) = texts(ready)
    assert text.startswith("The target audience cannot be used: ")


def test_a_launch_lets_in_the_target_audience_once(ready, alice, workspace):
    people(workspace, 3)
    launching.launch(ready, alice, NOON)
    assert (ready.state, ready.launched_at, ready.enter_at) == (State.ACTIVE, NOON, NOON)
    assert Entry.objects.count() == 0
    assert schedules.enter_due(NOON) == 3
    assert schedules.enter_due(NOON + HOUR) == 0
    assert Canvas.objects.get().enter_at is None
    assert list(Move.objects.values_list("source", "users")) == [("launch", 3)]
    assert Arrival.objects.count() == 3
    assert list(AuditEvent.objects.values_list("action", "target", "actor")) == [
        ("canvas.launched", "Winter", alice.pk)
    ]


def test_a_launch_rings_the_workers(ready, alice, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        launching.launch(ready, alice, NOON)
    assert [task.func() for task in OrmQ.objects.all()] == ["canvas.tasks.enter_due"]


def test_an_api_triggered_canvas_waits_for_calls(ready, alice, workspace):
    Canvas.objects.update(entry_kind=Canvas.EntryKind.API)
    people(workspace, 3)
    launching.launch(ready, alice, NOON)
    assert (ready.state, ready.enter_at) == (State.ACTIVE, None)
    assert schedules.enter_due(NOON) == 0


def test_only_the_users_of_an_import_enter_where_it_is_the_target(ready, alice, workspace):
    people(workspace, 3)
    run = Import.objects.create(workspace=workspace, name="customers.csv", state=Import.State.DONE)
    Profile.objects.filter(external_id="u1").update(last_import=run)
    Canvas.objects.update(source_import=run)
    launching.launch(ready, alice, NOON)
    assert schedules.enter_due(NOON) == 1


def test_a_canvas_that_fails_to_enter_holds_up_no_other(ready, alice, workspace, audience, caplog):
    other = Canvas.objects.create(workspace=workspace, name="Spring")
    add(other, "audience_sync", audience=audience)
    people(workspace, 2)
    for each in (ready, other):
        launching.launch(each, alice, NOON)
    AudienceSync.objects.filter(step__canvas=ready).update(audience=None)
    assert schedules.enter_due(NOON) == 2
    (failed,) = [line for line in caplog.records if line.message == "entering failed"]
    assert failed.canvas == ready.pk
    assert Canvas.objects.get(pk=ready.pk).enter_at == NOON
    AudienceSync.objects.filter(step__canvas=ready).update(audience=audience)
    assert schedules.enter_due(NOON) == 2


def test_stop_lets_nobody_in_and_keeps_who_is_pending(ready, alice, workspace):
    people(workspace, 2)
    launching.launch(ready, alice, NOON)
    schedules.enter_due(NOON)
    launching.stop(ready, alice, NOON + HOUR)
    assert (ready.state, ready.stopped_at) == (State.STOPPED, NOON + HOUR)
    assert Arrival.objects.count() == 2
    with pytest.raises(journeys.NotActive):
        journeys.enter(ready, people(workspace, 1, start=2), source="api", now=NOON)


def test_resume_lets_nobody_in_again(ready, alice, workspace):
    people(workspace, 2)
    launching.launch(ready, alice, NOON)
    schedules.enter_due(NOON)
    launching.stop(ready, alice, NOON)
    Canvas.objects.update(reentry=True)
    launching.resume(ready, alice, NOON + HOUR)
    assert (ready.state, ready.stopped_at, ready.enter_at) == (State.ACTIVE, None, None)
    assert schedules.enter_due(NOON + HOUR) == 0


def test_resume_makes_up_for_a_launch_that_was_stopped_before_anybody_entered(ready, alice, workspace):
    people(workspace, 2)
    launching.launch(ready, alice, NOON)
    launching.stop(ready, alice, NOON)
    assert schedules.enter_due(NOON) == 0
    launching.resume(ready, alice, NOON + HOUR)
    assert schedules.enter_due(NOON + HOUR) == 2


def test_a_launch_goes_on_in_portions_and_canvases_take_turns(ready, alice, workspace, audience, monkeypatch):
    other = Canvas.objects.create(workspace=workspace, name="Spring")
    add(other, "audience_sync", audience=audience)
    people(workspace, 5)
    monkeypatch.setattr(schedules, "USERS_AT_A_TIME", 2)
    for each in (ready, other):
        launching.launch(each, alice, NOON)
    assert schedules.enter_due(NOON) == 10
    moves = list(Move.objects.order_by("id").values_list("canvas", "users"))
    assert moves == [(ready.pk, 2), (other.pk, 2), (ready.pk, 2), (other.pk, 2), (ready.pk, 1), (other.pk, 1)]
    assert set(Canvas.objects.values_list("enter_at", "enter_after")) == {(None, None)}


def test_a_launch_that_was_stopped_half_way_goes_on_where_it_stood(ready, alice, workspace, monkeypatch):
    Canvas.objects.update(reentry=True)
    ready.refresh_from_db()
    people(workspace, 5)
    launching.launch(ready, alice, NOON)
    monkeypatch.setattr(schedules, "USERS_AT_A_TIME", 2)
    assert schedules._enter_some(ready.pk, NOON) == 2
    launching.stop(ready, alice, NOON)
    assert schedules.enter_due(NOON) == 0
    launching.resume(ready, alice, NOON + HOUR)
    assert schedules.enter_due(NOON + HOUR) == 3
    assert Entry.objects.values("profile").distinct().count() == Entry.objects.count() == 5


def test_resume_is_refused_while_there_are_problems(ready, alice):
    launching.launch(ready, alice, NOON)
    launching.stop(ready, alice, NOON)
    Connection.objects.update(state=Connection.State.BROKEN)
    with pytest.raises(launching.NotReady):
        launching.resume(ready, alice, NOON)
    assert Canvas.objects.get().state == State.STOPPED


def test_what_is_archived_comes_back_to_where_it_was(ready, alice):
    launching.archive(ready, alice, NOON)
    assert ready.state == State.ARCHIVED
    launching.unarchive(ready, alice, NOON)
    assert ready.state == State.DRAFT
    launching.launch(ready, alice, NOON)
    launching.stop(ready, alice, NOON)
    launching.archive(ready, alice, NOON)
    launching.unarchive(ready, alice, NOON)
    assert ready.state == State.STOPPED
    assert list(AuditEvent.objects.order_by("id").values_list("action", flat=True)) == [
        "canvas.archived",
        "canvas.unarchived",
        "canvas.launched",
        "canvas.stopped",
        "canvas.archived",
        "canvas.unarchived",
    ]


LEGAL = {
    "launch": {State.DRAFT},
    "stop": {State.ACTIVE},
    "resume": {State.STOPPED},
    "archive": {State.DRAFT, State.STOPPED},
    "unarchive": {State.ARCHIVED},
}


@pytest.mark.parametrize("move", LEGAL)
@pytest.mark.parametrize("state", State)
def test_every_move_that_is_not_legal_changes_nothing(ready, alice, move, state):
    Canvas.objects.update(state=state)
    ready.refresh_from_db()
    if state in LEGAL[move]:
        getattr(launching, move)(ready, alice, NOON)
        assert Canvas.objects.get().state != state
        return
    with pytest.raises(launching.WrongState):
        getattr(launching, move)(ready, alice, NOON)
    assert Canvas.objects.get().state == state
    assert AuditEvent.objects.count() == 0


def test_the_preview_counts_users_fields_requests_and_seconds(ready, workspace, partner, settings):
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(30)]
    Profile.objects.bulk_create(
        make_profile(workspace, f"p{n}", email=f"p{n}@example.com" if n < 20 else "", idfa=ids[n] if n < 10 else "")
        for n in range(25)
    )
    settings.USERS_PER_REQUEST = 8
    settings.RECORDS_PER_REQUEST = 8
    preview = previewing.preview(ready, NOON)
    assert (preview.users, preview.coverage) == (25, {"total": 25, "email": 20, "idfa": 10, "gaid": 0})
    (forecast,) = preview.forecasts
    # 20 users in threes of eight, but 30 records in fours of eight
    assert (forecast.users, forecast.records, forecast.requests) == (20, 30, 4)
    assert preview.seconds == pytest.approx(3 * pacing.spacing(partner.slug))  # until the last one starts
    AudienceSync.objects.update(match_fields=1)
    (forecast,) = previewing.preview(ready, NOON).forecasts
    assert (forecast.users, forecast.records, forecast.requests) == (20, 20, 3)


def test_the_preview_of_more_steps_takes_no_more_queries(ready, workspace, audience, partner):
    people(workspace, 3)

    def queries():
        with CaptureQueriesContext(database) as found:
            counted = previewing.preview(ready, NOON)
        return len(found), [(each.users, each.records) for each in counted.forecasts]

    first, forecasts = queries()
    assert forecasts == [(3, 3)]
    for fields in (1, 2, 3, 4, 1):
        add(ready, "audience_sync", audience=audience, fields=fields)
    assert queries() == (first, [(3, 3), (3, 3), (0, 0), (3, 3), (0, 0), (3, 3)])


def test_the_preview_leaves_out_who_may_not_enter(running, workspace):
    everybody = people(workspace, 5)
    journeys.enter(running, everybody.order_by("id")[:2], source="api", now=NOON)
    assert previewing.preview(running, NOON).users == 3


@pytest.mark.django_db(transaction=True)
def test_racing_launches_and_ticks_let_everybody_in_exactly_once(ready, alice, workspace):
    people(workspace, 300)

    def launch_and_tick():
        canvas = Canvas.objects.select_related("workspace").get(pk=ready.pk)
        try:
            launching.launch(canvas, alice, NOON)
            won = 1
        except launching.WrongState:
            won = 0
        return won, schedules.enter_due(NOON + timedelta(seconds=1))

    results = race(4, launch_and_tick)
    assert sum(won for won, _users in results) == 1
    assert sum(users for _won, users in results) == 300
    assert Entry.objects.count() == Arrival.objects.count() == 300
    assert AuditEvent.objects.filter(action="canvas.launched").count() == 1
    database.close()


def test_programs_set_a_step_without_its_editor(canvas, audience):
    step = add(canvas, "audience_sync")
    audience_sync.configure(step, audience=audience, operation="remove", fields=EVERYTHING)
    assert launching.problems(canvas, NOON) == []
    assert AudienceSync.objects.get().operation == "remove"
