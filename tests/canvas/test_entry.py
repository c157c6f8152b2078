"""Who enters and when: by a schedule, by an event, again after some days, and out again by exit criteria."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from canvas import events, journeys, launching, previewing, schedules
from canvas.models import Canvas, Entry, Move
from integrations.models import Arrival, AudienceSync
from pinsync.profiles.models import Profile, Segment
from pinsync.profiles.segments import SegmentRefused, delete_segment
from tests.canvas.conftest import HOUR, NOON, add, people
from tests.canvas.test_api import make_key
from tests.canvas.test_journeys import race

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
Repeat = Canvas.Repeat


@pytest.fixture
def ready(canvas, audience):
    """A draft that can be launched, with a wait in it."""
    add(canvas, "audience_sync", audience=audience)
    add(canvas, "delay", amount=2, unit="days")
    return canvas


def launched(canvas, user, now=NOON, **fields):
    Canvas.objects.filter(pk=canvas.pk).update(**fields)
    canvas.refresh_from_db()
    launching.launch(canvas, user, now)
    return canvas


def texts(canvas, now=NOON):
    return [problem.text for problem in launching.problems(canvas, now)]


def vip(workspace, *ids):
    """Return a segment that holds these users."""
    rule = {"field": "attribute:vip", "operator": "text.equals", "value": "yes"}
    filters = {"match": "all", "groups": [{"match": "all", "rules": [rule]}]}
    Profile.objects.filter(workspace=workspace, external_id__in=ids).update(attributes={"vip": "yes"})
    return Segment.objects.create(workspace=workspace, name="VIP", filters=filters)


# --- scheduled


def test_users_enter_at_the_time_once(ready, alice, workspace):
    people(workspace, 3)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR)
    assert (ready.state, ready.enter_at) == ("active", NOON + HOUR)
    assert schedules.enter_due(NOON + HOUR / 2) == 0
    assert schedules.enter_due(NOON + HOUR) == 3
    assert list(Move.objects.values_list("source", "users")) == [("schedule", 3)]
    ready.refresh_from_db()
    assert (ready.enter_at, ready.enter_after) == (None, None)
    assert schedules.enter_due(NOON + 30 * DAY) == 0


def test_a_round_lets_in_who_is_new_and_the_next_one_follows(ready, alice, workspace):
    people(workspace, 2)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR, repeat=Repeat.DAILY)
    assert schedules.enter_due(NOON + HOUR) == 2
    ready.refresh_from_db()
    assert (ready.enter_at, ready.enter_after, ready.enter_began_at) == (NOON + HOUR + DAY, 0, None)
    people(workspace, 3, start=2)
    assert schedules.enter_due(NOON + 2 * HOUR) == 0
    assert schedules.enter_due(NOON + HOUR + DAY) == 3
    assert Entry.objects.count() == 5


def test_rounds_that_were_missed_are_one(ready, alice, workspace):
    people(workspace, 2)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR, repeat=Repeat.DAILY)
    assert schedules.enter_due(NOON + 5 * DAY) == 2
    ready.refresh_from_db()
    assert ready.enter_at == NOON + 5 * DAY + HOUR


@pytest.mark.django_db(transaction=True)
def test_workers_that_tick_at_once_let_everybody_in_once_a_round(canvas, audience, alice, workspace, monkeypatch):
    """The hardest case: nobody waits anywhere and everybody may enter again, so only the round itself knows."""
    monkeypatch.setattr(schedules, "USERS_AT_A_TIME", 20)
    add(canvas, "audience_sync", audience=audience)
    people(workspace, 90)
    launched(canvas, alice, entry_kind="scheduled", starts_at=NOON + HOUR, repeat=Repeat.DAILY, reentry=True)
    for number in (1, 2):
        due = NOON + HOUR + (number - 1) * DAY
        assert sum(race(4, lambda due=due: schedules.enter_due(due))) == 90
        assert Entry.objects.count() == Arrival.objects.count() == 90 * number
        canvas.refresh_from_db()
        assert (canvas.enter_at, canvas.enter_after, canvas.enter_done) == (due + DAY, 0, 90)
    database.close()


def test_after_the_end_nobody_enters(ready, alice, workspace):
    people(workspace, 2)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR, repeat=Repeat.DAILY, ends_at=NOON + DAY)
    assert schedules.enter_due(NOON + HOUR) == 2
    ready.refresh_from_db()
    assert (ready.enter_at, ready.state) == (None, "active")


def test_with_re_entry_a_round_takes_who_has_left(ready, alice, workspace):
    people(workspace, 2)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR, repeat=Repeat.DAILY, reentry=True)
    assert schedules.enter_due(NOON + HOUR) == 2
    assert schedules.enter_due(NOON + HOUR + DAY) == 0  # they still wait
    journeys.advance_due(NOON + HOUR + 2 * DAY)
    assert schedules.enter_due(NOON + HOUR + 2 * DAY) == 2
    assert Entry.objects.count() == 4


def test_a_schedule_without_a_time_or_in_the_past_cannot_be_launched(ready, alice):
    Canvas.objects.update(entry_kind="scheduled")
    ready.refresh_from_db()
    assert texts(ready) == ["Say when users enter."]
    Canvas.objects.update(starts_at=NOON - HOUR)
    ready.refresh_from_db()
    assert texts(ready) == ["The time at which users enter has passed. Choose a later one."]
    with pytest.raises(launching.NotReady):
        launching.launch(ready, alice, NOON)
    Canvas.objects.update(repeat=Repeat.WEEKLY)
    ready.refresh_from_db()
    assert texts(ready) == []


def test_a_stopped_schedule_goes_on_with_its_next_round(ready, alice, workspace):
    people(workspace, 2)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR, repeat=Repeat.DAILY)
    launching.stop(ready, alice, NOON)
    assert schedules.enter_due(NOON + 2 * DAY) == 0
    launching.resume(ready, alice, NOON + 2 * DAY)
    assert ready.enter_at == NOON + 2 * DAY + HOUR  # not those that were missed
    launching.stop(ready, alice, NOON + 2 * DAY)
    Canvas.objects.update(ends_at=NOON + DAY)
    launching.resume(ready, alice, NOON + 3 * DAY)
    assert (ready.state, ready.enter_at, ready.enter_after) == ("active", None, None)


def test_a_stopped_single_time_is_made_up_for(ready, alice, workspace):
    people(workspace, 2)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR)
    launching.stop(ready, alice, NOON)
    launching.resume(ready, alice, NOON + 2 * HOUR)
    assert ready.enter_at == NOON + 2 * HOUR
    assert schedules.enter_due(NOON + 2 * HOUR) == 2


def test_a_round_that_was_stopped_in_the_middle_goes_on_where_it_was(ready, alice, workspace, monkeypatch):
    people(workspace, 5)
    monkeypatch.setattr(schedules, "USERS_AT_A_TIME", 2)
    launched(ready, alice, entry_kind="scheduled", starts_at=NOON + HOUR, repeat=Repeat.DAILY)
    schedules._enter_some(ready.pk, NOON + HOUR)
    launching.stop(ready, alice, NOON + HOUR)
    launching.resume(ready, alice, NOON + 2 * HOUR)
    assert ready.enter_at == NOON + 2 * HOUR
    assert schedules.enter_due(NOON + 2 * HOUR) == 3
    ready.refresh_from_db()
    assert ready.enter_at == NOON + HOUR + DAY


# --- action-based


def test_an_event_lets_in_who_did_it_and_is_in_the_target_audience(ready, alice, workspace):
    people(workspace, 4)
    segment = vip(workspace, "u0", "u1")
    launched(ready, alice, entry_kind="event", event_name="purchase", segment=segment)
    found = events.happened(workspace, {"purchase": ["u1", "u2", "nobody"], "other": ["u0"]}, now=NOON)
    assert found == events.Happened(entered=1, exited=0, unknown=1)
    assert list(Entry.objects.values_list("profile__external_id", "move__source")) == [("u1", "event")]
    assert events.happened(workspace, {"purchase": ["u1"]}, now=NOON).entered == 0  # no re-entry


def test_only_active_canvases_of_the_workspace_listen(ready, alice, workspace, charlie):
    people(workspace, 1)
    for state in ("draft", "stopped", "archived"):
        Canvas.objects.filter(pk=ready.pk).update(entry_kind="event", event_name="purchase", state=state)
        assert events.happened(workspace, {"purchase": ["u0"]}, now=NOON) == events.Happened()
    other = charlie.workspaces.get()
    Canvas.objects.filter(pk=ready.pk).update(state="active", launched_at=NOON)
    assert events.happened(other, {"purchase": ["u0"]}, now=NOON) == events.Happened(unknown=1)


def test_more_users_take_no_more_queries(ready, alice, workspace):
    people(workspace, 3_000)
    launched(ready, alice, entry_kind="event", event_name="purchase", exit_event="gone")

    def queries(ids, name="purchase"):
        with CaptureQueriesContext(database) as found:
            events.happened(workspace, {name: ids}, now=NOON)
        # How PostgreSQL is to join depends on how many they are.
        return len([query for query in found if not query["sql"].startswith("SET LOCAL")])

    queries(["u0"])  # the rows of the figures are made once
    for name in ("purchase", "gone"):
        assert queries(["u1"], name) >= queries([f"u{n}" for n in range(2, 3_000)], name)
    assert queries(["u0"], "gone") < 15
    assert Entry.objects.filter(state="exited").count() == 3_000


def test_one_event_moves_the_figures_of_all_canvases_in_the_order_of_their_steps(ready, audience, alice, workspace):
    """Whoever settles a batch takes them in this order too; in another, each would wait for the other."""
    people(workspace, 1)
    late = Canvas.objects.create(workspace=workspace, name="Late")
    add(late, "audience_sync", audience=audience)
    first, second = AudienceSync.objects.order_by("pk")
    ready.steps.filter(kind="audience_sync").update(sync=None)
    late.steps.update(sync=first)
    ready.steps.filter(kind="audience_sync").update(sync=second)
    for canvas in (ready, late):
        launched(canvas, alice, entry_kind="event", event_name="purchase")
    with CaptureQueriesContext(database) as captured:
        assert events.happened(workspace, {"purchase": ["u0"]}, now=NOON).entered == 2
    moved = [query["sql"] for query in captured if "UPDATE integrations_synctotals" in query["sql"]]
    assert [int(re.search(r"sync_id = (\d+)", sql)[1]) for sql in moved] == [first.pk, second.pk]


@pytest.mark.django_db(transaction=True)
def test_the_same_event_told_twice_at_once_lets_in_once(ready, alice, workspace):
    people(workspace, 50)
    launched(ready, alice, entry_kind="event", event_name="purchase")
    told = {"purchase": [f"u{n}" for n in range(50)]}
    results = race(4, lambda: events.happened(workspace, told, now=NOON).entered)
    assert sorted(results) == [0, 0, 0, 50]
    assert Entry.objects.count() == 50
    database.close()


def test_an_event_without_a_name_cannot_be_launched(ready):
    Canvas.objects.update(entry_kind="event")
    ready.refresh_from_db()
    assert texts(ready) == ["Say which event lets users in."]


def post(client, key, body, **headers):
    return client.post(
        "/api/v1/events",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", **headers},
    )


def test_programs_say_what_happened(client, ready, alice, workspace):
    people(workspace, 3)
    launched(ready, alice, entry_kind="event", event_name="purchase", reentry=True)
    key = make_key(workspace, "editor")
    both = [{"name": " purchase ", "external_id": "u0"}, {"name": "purchase", "external_id": "u0"}]
    for _repeat in range(2):
        answer = post(client, key, {"events": both}, **{"Idempotency-Key": "order-7"})
        assert (answer.status_code, answer.json()) == (202, {"entered": 1, "exited": 0, "unknown": 0})
    assert Entry.objects.count() == 1
    refused = post(client, key, {"events": both[:1]}, **{"Idempotency-Key": "order-7"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "key_reused")
    assert post(client, make_key(workspace, "viewer"), {"events": both}).status_code == 403


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "x",
        ["x"],
        [{"name": "a"}],
        [{"external_id": "u0"}],
        [{"name": " ", "external_id": "u0"}],
        [{"name": 1, "external_id": "u0"}],
        [{"name": "a", "external_id": ""}],
        [{"name": "a\0", "external_id": "u0"}],
        [{"name": "a", "external_id": "u\0"}],
        [{"name": "a\ud800", "external_id": "u0"}],
        [{"name": "a", "external_id": "u\udfff"}],
    ],
)
def test_what_cannot_be_read_is_refused(client, workspace, given):
    assert post(client, make_key(workspace, "editor"), {"events": given}).status_code == 400


def test_more_than_ten_thousand_events_are_refused(client, workspace):
    answer = post(client, make_key(workspace, "editor"), {"events": [{"name": "a", "external_id": "u0"}] * 10_001})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many")


# --- re-entry after some days


def test_re_entry_waits_for_so_many_days(ready, alice, workspace):
    people(workspace, 1)
    launched(ready, alice, entry_kind="event", event_name="visit", reentry=True, reentry_days=7)
    assert events.happened(workspace, {"visit": ["u0"]}, now=NOON).entered == 1
    journeys.advance_due(NOON + 2 * DAY)
    assert Entry.objects.get().state == "exited"
    assert events.happened(workspace, {"visit": ["u0"]}, now=NOON + 7 * DAY - HOUR).entered == 0
    assert events.happened(workspace, {"visit": ["u0"]}, now=NOON + 7 * DAY).entered == 1


# --- exit criteria


def test_an_event_lets_out_who_waits(ready, alice, workspace):
    people(workspace, 3)
    launched(ready, alice, exit_event="purchase")
    schedules.enter_due(NOON)
    found = events.happened(workspace, {"purchase": ["u0", "u1"]}, now=NOON + HOUR)
    assert found == events.Happened(exited=2)
    assert events.happened(workspace, {"purchase": ["u0", "u1"]}, now=NOON + HOUR).exited == 0
    delay = ready.steps.get(kind="delay")
    assert (delay.totals.entered, delay.totals.left, delay.totals.proceeded) == (3, 2, 0)
    move = Move.objects.get(kind="exit")
    assert (move.users, move.step) == (2, delay)
    assert set(Entry.objects.values_list("state", "exited_at")) == {("exited", NOON + HOUR), ("waiting", None)}
    assert journeys.advance_due(NOON + 2 * DAY) == 1
    delay.totals.refresh_from_db()
    assert (delay.totals.left, delay.totals.proceeded) == (2, 1)


def test_whoever_is_in_the_exit_segment_neither_enters_nor_goes_on(ready, alice, workspace, audience):
    people(workspace, 4)
    last = add(ready, "audience_sync", audience=audience, operation="remove")
    segment = vip(workspace, "u0")
    launched(ready, alice, exit_segment=segment)
    assert previewing.preview(ready, NOON).users == 3
    assert schedules.enter_due(NOON) == 3
    Profile.objects.filter(external_id="u1").update(attributes={"vip": "yes"})
    assert journeys.advance_due(NOON + 2 * DAY) == 2
    delay = ready.steps.get(kind="delay")
    assert (delay.totals.left, delay.totals.proceeded) == (1, 2)
    last.refresh_from_db()
    assert last.totals.entered == 2
    assert Entry.objects.get(profile__external_id="u1").state == "exited"


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite makes an index of a list")
def test_an_exit_segment_is_no_list_that_every_user_is_looked_for_in(running, workspace):
    """A list that does not fit into memory would be read from its beginning for each of them: for hours."""
    people(workspace, 3_000)
    rule = {"field": "attribute:vip", "operator": "text.not_blank"}
    running.exit_segment = Segment.objects.create(
        workspace=workspace, name="VIP", filters={"match": "all", "groups": [{"match": "all", "rules": [rule]}]}
    )
    running.save()
    with database.cursor() as cursor:
        cursor.execute("ANALYZE profiles_profile; SET LOCAL work_mem = '64kB'; SET LOCAL hash_mem_multiplier = 1")
    plan = journeys.may_enter(running, Profile.objects.all(), NOON).explain()
    assert "SubPlan" not in plan, plan
    assert journeys.may_enter(running, Profile.objects.all(), NOON).count() == 3_000


def test_more_leave_than_fit_into_one_transaction(ready, alice, workspace, monkeypatch):
    people(workspace, 7)
    launched(ready, alice, exit_segment=vip(workspace))
    schedules.enter_due(NOON)
    Profile.objects.exclude(external_id="u6").update(attributes={"vip": "yes"})
    monkeypatch.setattr(journeys, "USERS_PER_MOVE", 2)
    journeys.advance_due(NOON + 2 * DAY)
    delay = ready.steps.get(kind="delay")
    assert (delay.totals.left, delay.totals.proceeded) == (6, 1)
    assert not Entry.objects.filter(state="waiting").exists()


def test_a_segment_that_ends_journeys_is_not_deleted(workspace, canvas, alice):
    segment = vip(workspace)
    Canvas.objects.update(exit_segment=segment)
    with pytest.raises(SegmentRefused):
        delete_segment(segment, alice, now=NOON)
