"""Entering, waiting, going on and leaving, for sets of users."""

import threading

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from canvas import journeys
from canvas.models import Canvas, Entry, Move, StepTotals
from integrations.models import Arrival, SyncTotals
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace
from tests.canvas.conftest import HOUR, NOON, add, make_profile, people

pytestmark = pytest.mark.django_db


def totals(step):
    return StepTotals.objects.values_list("entered", "proceeded", "exited").get(step=step)


def activate(canvas, **changes):
    Canvas.objects.filter(pk=canvas.pk).update(state=Canvas.State.ACTIVE, **changes)
    canvas.refresh_from_db()


def test_users_pass_every_step_at_once_and_leave_at_the_end(running, workspace, audience):
    second = add(running, "audience_sync", audience=audience, operation="remove")
    first = running.steps.first()
    move = journeys.enter(running, people(workspace, 3), source="launch", now=NOON)
    assert (move.kind, move.users, move.source, move.at) == (Move.Kind.ENTER, 3, "launch", NOON)
    assert set(Entry.objects.values_list("state", "step", "entered_at", "exited_at", "move")) == {
        ("exited", None, NOON, NOON, move.pk)
    }
    assert totals(first) == (3, 3, 0)
    assert totals(second) == (3, 3, 3)
    assert Arrival.objects.filter(sync=first.sync).count() == 3
    assert SyncTotals.objects.get(sync=second.sync).entered == 3


def test_the_journey_never_asks_whether_a_user_could_be_sent(running, workspace):
    make_profile(workspace, "blank").save()
    journeys.enter(running, Profile.objects.all(), source="api", now=NOON)
    figures = SyncTotals.objects.get()
    assert (figures.entered, figures.not_synced, figures.pending) == (1, 1, 0)
    assert totals(running.steps.get()) == (1, 1, 1)


def test_a_delay_holds_users_until_it_ends(canvas, workspace, audience):
    before = add(canvas, "audience_sync", audience=audience)
    delay = add(canvas, "delay", amount=2, unit="hours")
    after = add(canvas, "audience_sync", audience=audience, operation="remove")
    activate(canvas)
    journeys.enter(canvas, people(workspace, 3), source="launch", now=NOON)
    assert set(Entry.objects.values_list("state", "step", "due_at", "exited_at")) == {
        ("waiting", delay.pk, NOON + 2 * HOUR, None)
    }
    assert (totals(before), totals(delay)) == ((3, 3, 0), (3, 0, 0))
    assert journeys.advance_due(NOON + HOUR) == 0
    assert journeys.advance_due(NOON + 2 * HOUR) == 3
    assert journeys.advance_due(NOON + 2 * HOUR) == 0
    assert set(Entry.objects.values_list("state", "entered_at", "exited_at")) == {("exited", NOON, NOON + 2 * HOUR)}
    assert (totals(delay), totals(after)) == ((3, 3, 0), (3, 3, 3))
    assert Arrival.objects.filter(sync=after.sync, entered_at=NOON + 2 * HOUR).count() == 3
    assert list(Move.objects.order_by("id").values_list("kind", "step", "users")) == [
        ("enter", None, 3),
        ("advance", delay.pk, 3),
    ]


def test_two_delays_in_a_row_are_waited_for_one_after_the_other(canvas, workspace):
    first = add(canvas, "delay", amount=1, unit="hours")
    second = add(canvas, "delay", amount=3, unit="hours")
    activate(canvas)
    journeys.enter(canvas, people(workspace, 2), source="launch", now=NOON)
    assert journeys.advance_due(NOON + HOUR) == 2
    assert set(Entry.objects.values_list("step", "due_at")) == {(second.pk, NOON + 4 * HOUR)}
    assert journeys.advance_due(NOON + 4 * HOUR) == 2
    assert (totals(first), totals(second)) == ((2, 2, 0), (2, 2, 2))
    assert Entry.objects.filter(state=Entry.State.WAITING).count() == 0


def test_users_go_on_in_portions(canvas, workspace, monkeypatch):
    delay = add(canvas, "delay", amount=1, unit="hours")
    activate(canvas)
    journeys.enter(canvas, people(workspace, 5), source="launch", now=NOON)
    monkeypatch.setattr(journeys, "USERS_PER_MOVE", 2)
    assert journeys.advance_due(NOON + HOUR) == 5
    assert list(Move.objects.filter(step=delay).order_by("id").values_list("users", flat=True)) == [2, 2, 1]
    assert totals(delay) == (5, 5, 5)


@pytest.mark.parametrize("state", [Canvas.State.STOPPED, Canvas.State.ARCHIVED])
def test_users_in_a_delay_of_a_canvas_that_is_not_active_leave_when_it_ends(canvas, workspace, audience, state):
    delay = add(canvas, "delay", amount=1, unit="hours")
    after = add(canvas, "audience_sync", audience=audience)
    activate(canvas)
    journeys.enter(canvas, people(workspace, 2), source="launch", now=NOON)
    Canvas.objects.filter(pk=canvas.pk).update(state=state)
    assert journeys.advance_due(NOON) == 0
    assert journeys.advance_due(NOON + HOUR) == 2
    assert set(Entry.objects.values_list("state", "exited_at")) == {("exited", NOON + HOUR)}
    assert totals(delay) == (2, 0, 0)
    assert not StepTotals.objects.filter(step=after).exists()
    assert Arrival.objects.count() == 0


@pytest.mark.parametrize("state", [Canvas.State.DRAFT, Canvas.State.STOPPED, Canvas.State.ARCHIVED])
def test_nobody_enters_a_canvas_that_is_not_active(running, workspace, state):
    Canvas.objects.filter(pk=running.pk).update(state=state)
    with pytest.raises(journeys.NotActive):
        journeys.enter(running, people(workspace, 1), source="api", now=NOON)
    assert (Entry.objects.count(), Move.objects.count()) == (0, 0)


def test_without_reentry_nobody_enters_twice(running, workspace):
    everybody = people(workspace, 3)
    assert journeys.enter(running, everybody.order_by("id")[:2], source="api", now=NOON).users == 2
    assert journeys.enter(running, everybody, source="launch", now=NOON + HOUR).users == 1
    assert journeys.enter(running, everybody, source="launch", now=NOON + HOUR).users == 0
    assert set(Entry.objects.values_list("turn", flat=True)) == {0}
    assert totals(running.steps.get()) == (3, 3, 3)


def test_with_reentry_users_enter_again_once_they_have_left(canvas, workspace):
    add(canvas, "delay", amount=1, unit="hours")
    activate(canvas, reentry=True)
    everybody = people(workspace, 2)
    assert journeys.enter(canvas, everybody, source="api", now=NOON).users == 2
    assert journeys.enter(canvas, everybody, source="api", now=NOON).users == 0
    journeys.advance_due(NOON + HOUR)
    assert journeys.enter(canvas, everybody, source="api", now=NOON + HOUR).users == 2
    journeys.advance_due(NOON + 2 * HOUR)
    assert journeys.enter(canvas, everybody, source="api", now=NOON + 2 * HOUR).users == 2
    assert sorted(Entry.objects.values_list("turn", flat=True)) == [0, 0, 1, 1, 2, 2]


def test_the_same_user_named_twice_enters_once(running, workspace):
    everybody = people(workspace, 2)
    assert journeys.enter(running, everybody | everybody.all(), source="api", now=NOON).users == 2
    assert journeys.enter(running, everybody.union(everybody.all(), all=True), source="api", now=NOON).users == 0


def test_users_of_another_workspace_never_enter(running, workspace):
    people(workspace, 1)
    people(Workspace.objects.create(name="Other", slug="other"), 2)
    assert journeys.enter(running, Profile.objects.all(), source="api", now=NOON).users == 1


def test_an_empty_set_enters_nobody(running, workspace):
    assert journeys.enter(running, Profile.objects.none(), source="api", now=NOON).users == 0
    assert Arrival.objects.count() == 0


def test_a_step_that_fails_holds_up_no_other(canvas, workspace, audience, caplog):
    add(canvas, "delay", amount=1, unit="hours")
    broken = add(canvas, "audience_sync")  # no audience: nobody can be sent
    activate(canvas)
    other = Canvas.objects.create(workspace=workspace, name="Spring")
    add(other, "delay", amount=1, unit="hours")
    activate(other)
    everybody = people(workspace, 2)
    for each in (canvas, other):
        journeys.enter(each, everybody, source="launch", now=NOON)
    assert journeys.advance_due(NOON + HOUR) == 2
    assert Entry.objects.filter(canvas=canvas, state="waiting").count() == 2
    (failed,) = [line for line in caplog.records if line.message == "going on failed"]
    assert failed.canvas == canvas.pk
    type(broken.sync).objects.filter(pk=broken.sync_id).update(
        audience=audience, ad_account=audience.ad_account, partner=audience.ad_account.connection.partner
    )
    assert journeys.advance_due(NOON + HOUR) == 2


@pytest.mark.parametrize("reentry", [False, True])
def test_the_number_of_queries_does_not_depend_on_the_number_of_users(canvas, workspace, audience, reentry):
    add(canvas, "audience_sync", audience=audience)
    add(canvas, "delay", amount=1, unit="hours")
    add(canvas, "audience_sync", audience=audience, operation="remove")
    activate(canvas, reentry=reentry)
    counts = []
    for number, start in ((1, 0), (10, 1), (5_000, 11)):  # the first makes the rows that count
        people(workspace, number, start)
        fresh = Profile.objects.filter(id__in=Profile.objects.order_by("-id").values("id")[:number])
        with CaptureQueriesContext(database) as entering:
            assert journeys.enter(canvas, fresh, source="launch", now=NOON).users == number
        with CaptureQueriesContext(database) as going_on:
            assert journeys.advance_due(NOON + HOUR) == number
        counts.append((_asked(entering), _asked(going_on)))
    assert counts[1] == counts[2]


def _asked(queries):
    """Count queries; how PostgreSQL is told to join (two settings) depends on the share of all profiles."""
    return sum(not query["sql"].startswith("SET LOCAL") for query in queries)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("reentry", [False, True])
def test_racing_launches_let_nobody_in_twice(canvas, workspace, audience, reentry):
    step = add(canvas, "audience_sync", audience=audience)
    add(canvas, "delay", amount=1, unit="hours")
    activate(canvas, reentry=reentry)
    everybody = people(workspace, 500)
    users = race(4, lambda: journeys.enter(canvas, everybody.all(), source="launch", now=NOON).users)
    assert sorted(users) == [0, 0, 0, 500]
    assert Entry.objects.count() == Arrival.objects.count() == 500
    assert totals(step) == (500, 500, 0)


@pytest.mark.django_db(transaction=True)
def test_racing_ticks_send_nobody_on_twice(canvas, workspace, audience):
    delay = add(canvas, "delay", amount=1, unit="hours")
    add(canvas, "audience_sync", audience=audience)
    activate(canvas)
    journeys.enter(canvas, people(workspace, 500), source="launch", now=NOON)
    assert sorted(race(4, lambda: journeys.advance_due(NOON + HOUR))) == [0, 0, 0, 500]
    assert Arrival.objects.count() == 500
    assert totals(delay) == (500, 500, 0)


def race(number, run):
    """Run the same thing in several threads at once and return what each came back with."""
    barrier, results = threading.Barrier(number), []

    def runner():
        barrier.wait()
        try:
            results.append(run())
        finally:
            database.close()

    threads = [threading.Thread(target=runner) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
