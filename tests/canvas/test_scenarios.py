"""Every scenario, told to its end against the sandbox on a real socket; and stories that end otherwise."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from canvas import editing, launching, simulator
from canvas.models import Canvas, ScenarioRun, Step
from canvas.scenarios import doing, looking, outage, running, runs, scenarios, telling
from canvas.scenarios.base import Check, Do, Look, Scenario, Wait
from canvas.ticking import work_until
from integrations import upkeep
from integrations.models import Connection, SyncTotals
from pinsync.profiles import made_up
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)  # threads of their own send

FEW = {"first_sync": 60, "rush_hour": 4_000, "outage": 50, "dead_token": 40, "deleted_audience": 60}
ALSO = (simulator.advance_due, running.advance_due, upkeep.keep)


@pytest.fixture(autouse=True)
def _quick(settings, monkeypatch):
    settings.TICK_SECONDS = 1
    monkeypatch.setattr(outage, "SECONDS_DOWN", 2)


def begin(workspace, scenario, user=None) -> ScenarioRun:
    found = scenarios()[scenario] if isinstance(scenario, str) else scenario
    return runs.start(workspace, found, user=user, now=timezone.now(), users=FEW.get(found.slug, 40))


def told(run) -> list[str]:
    return [f"{line.mark}: {line.text} {line.detail}".strip() for line in telling.lines_of(run)]


def is_over(run) -> bool:
    run.refresh_from_db()
    return run.is_over


def tell(run, seconds=60) -> ScenarioRun:
    """Do what a worker does until the run is finished."""
    assert work_until(lambda: is_over(run), seconds=seconds, clock=timezone.now, also=ALSO), told(run)
    return run


def tell_by(clock, run) -> None:
    assert work_until(lambda: is_over(run), seconds=30, clock=clock, also=ALSO), told(run)


def tell_until(run, mark, seconds=30) -> None:
    """Do what a worker does until so much was told."""

    def is_there() -> bool:
        run.refresh_from_db()
        return any(mark in line for line in told(run))

    assert work_until(is_there, seconds=seconds, clock=timezone.now, also=ALSO), told(run)


@pytest.fixture
def put(monkeypatch):
    """Put a scenario of the test's own into the folder."""

    def put(*steps, **more) -> Scenario:
        fields = {"order": 1, "title": "Test", "story": "", "icon": "zap", "lasts": "", "users": 20, **more}
        scenario = Scenario(slug="test", steps=steps, **fields)
        monkeypatch.setitem(scenarios(), "test", scenario)
        return scenario

    return put


@pytest.mark.parametrize(
    "slug", [pytest.param(slug, marks=pytest.mark.timed) if slug == "rush_hour" else slug for slug in scenarios()]
)
def test_every_scenario_ends_with_all_checks_holding(shop, alice, sandbox, slug):
    run = tell(begin(shop, slug, alice))
    held, made = telling.checks_of(run)
    assert (run.end, held, made) == ("passed", scenarios()[slug].checks, scenarios()[slug].checks), told(run)
    assert told(run)[-1].startswith("tidy: ")
    assert sandbox.faults.active() == []
    assert Connection.objects.get().may_call
    canvases = Canvas.objects.filter(pk__in=run.memory["canvases"])
    assert {canvas.state for canvas in canvases} == {"stopped"}
    assert all(canvas.name.startswith(f"Scenario {run.pk}: ") for canvas in canvases)
    assert run.samples[-1][1] == 0  # nobody is pending


def test_the_figures_are_the_sandboxs_own(shop, alice, sandbox):
    """The same numbers, counted without the code that tells the story."""
    run = tell(begin(shop, "suppress_buyers", alice))
    audience = next(each for each in sandbox.world.audiences.values() if each.name.startswith(f"Scenario {run.pk}:"))
    assert sandbox.world.size(audience) - 1 == 28
    assert "good: Both sides agree: added less removed Pinsync says 28 are in it; Pinterest holds 28" in told(run)


def test_a_check_that_does_not_hold_says_so_and_the_others_are_still_made(shop, alice, put):
    put(
        Check("Two and two", "%(sum)s is not 5", lambda stage: Look(False, {"sum": 1234})),
        Check("All is well", "%(state)s", lambda stage: Look(True, {"state": "well"})),
    )
    run = tell(begin(shop, scenarios()["test"], alice))
    assert run.end == "failed"
    assert told(run)[:2] == ["bad: Two and two 1,234 is not 5", "good: All is well well"]
    assert telling.checks_of(run) == (1, 2)


def test_a_partner_that_loses_records_is_found_out(shop, alice, sandbox, put):
    """The check is about what the sandbox holds, not about what we say."""

    def lose(stage):
        found = sandbox.world.customer_lists[stage.audience.target_id]
        found.records.pop()
        return {}

    first = scenarios()["first_sync"]
    put(*first.steps[:-1], Do("One record is lost.", lose), first.steps[-1])
    run = tell(begin(shop, scenarios()["test"], alice))
    assert run.end == "failed"
    assert "bad: Both sides agree Pinsync says 36 synced; Pinterest holds 35" in told(run)


def test_who_is_waited_for_too_long_ends_the_story(shop, alice, put):
    never = Wait("Waiting for %(whom)s.", "Came.", lambda stage: Look(False, {"whom": "Godot"}), most=timedelta(0))
    put(never, Check("Never asked", "", lambda stage: Look(True)))
    run = tell(begin(shop, scenarios()["test"], alice))
    assert run.end == "failed"
    assert told(run)[0] == "stopped: That took too long. Waiting for Godot."
    assert len(told(run)) == 2


def empty(stage):
    for step in stage.canvas.steps.all():
        editing.delete_step(step)
    return {}


def empty_and_put_away(stage):
    launching.archive(stage.canvas, stage.user, timezone.now())
    Step.objects.filter(canvas=stage.canvas).delete()
    return {}


def replace_by_a_wait(stage):
    empty(stage)
    editing.add_step(stage.canvas, "delay", position=1)
    return {}


@pytest.mark.parametrize(
    ("meddle", "said"),
    [
        (empty, "stopped: There is no step yet. Add one to the journey."),
        (empty_and_put_away, "stopped: There is no step yet. Add one to the journey."),
        (replace_by_a_wait, "stopped: Somebody changed the Canvas meanwhile."),
    ],
)
def test_a_canvas_that_somebody_changes_meanwhile_ends_the_story(shop, alice, put, meddle, said):
    steps = scenarios()["first_sync"].steps
    put(*steps[:4], Do("Somebody was here.", meddle), *steps[4:])
    run = tell(begin(shop, scenarios()["test"], alice))
    assert (run.end, told(run)[-2].split("Users enter")[0].strip()) == ("failed", said)


def test_a_canvas_that_was_stopped_before_its_launch_is_told_of_ends_the_story(shop, alice, put):
    def stop(stage):
        launching.launch(stage.canvas, None, timezone.now())
        launching.stop(stage.canvas, stage.user, timezone.now())
        return {}

    steps = scenarios()["first_sync"].steps
    put(*steps[:4], Do("Somebody was here.", stop), *steps[4:])
    run = tell(begin(shop, scenarios()["test"], alice))
    assert (run.end, told(run)[-2]) == ("failed", "stopped: Somebody changed the Canvas meanwhile.")


def test_a_fault_of_ours_is_tried_again_for_a_while_and_ends_the_story(shop, alice, put):
    """Nothing is left that would keep the next one from beginning."""
    put(Do("Never done.", lambda stage: {"share": 1 / 0}), tidy=lambda stage: 1 / 0)
    run = begin(shop, scenarios()["test"], alice)
    seen = []
    for minutes in (0, 3, 6, 9, 14):
        running.advance_due(timezone.now() + timedelta(minutes=minutes))
        run.refresh_from_db()
        seen.append((run.end, run.is_over))
    assert seen == [("", False), ("", False), ("failed", False), ("failed", False), ("failed", True)]
    assert [line.split(":")[0] for line in told(run)] == ["stopped", "untidy"]
    assert "It is our fault, and it was written down." in told(run)[0]
    begin(shop, "first_sync", alice)


def test_what_the_partner_refuses_is_a_sentence_and_ends_the_story(shop, alice, sandbox):
    sandbox.faults.add("outage", {"status": 503, "seconds": None, "html": False, "path": None})
    run = tell(begin(shop, "first_sync", alice))
    assert run.end == "failed"
    assert any(line.startswith("stopped: ") and "Pinterest Unavailable" in line for line in told(run))
    assert [fault.name for fault in sandbox.faults.active()] == ["outage"]  # it is not ours to mend


def test_cancelling_mends_the_outage(shop, alice, sandbox, monkeypatch):
    monkeypatch.setattr(outage, "SECONDS_DOWN", 60)
    run = begin(shop, "outage", alice)
    tell_until(run, "Requests fail")
    assert [fault.name for fault in sandbox.faults.active()] == ["outage"]
    assert runs.cancel(run, user=alice, now=timezone.now())
    assert not runs.cancel(run, user=alice, now=timezone.now())
    tell(run)
    assert (run.end, sandbox.faults.active()) == ("cancelled", [])
    assert told(run)[-1].startswith("tidy: ")
    assert Canvas.objects.get().state == "stopped"
    assert list(AuditEvent.objects.filter(action__startswith="scenario").values_list("action", flat=True)) == [
        "scenario.started",
        "scenario.cancelled",
    ]


def test_cancelling_reconnects_what_the_story_cut_off(shop, alice):
    run = begin(shop, "dead_token", alice)
    tell_until(run, "Pinsync noticed")
    assert Connection.objects.get().state == "broken"
    runs.cancel(run, user=alice, now=timezone.now())
    tell(run)
    assert (run.end, Connection.objects.get().state) == ("cancelled", "connected")


def test_cancelling_recreates_the_deleted_audience_so_that_nobody_waits_for_hours(shop, alice):
    run = begin(shop, "deleted_audience", alice)
    tell_until(run, "Someone deletes the audience")
    runs.cancel(run, user=alice, now=timezone.now())
    tell(run)
    assert run.end == "cancelled"

    def is_settled() -> bool:
        return not SyncTotals.objects.filter(pending__gt=0).exists()

    assert work_until(is_settled, seconds=30, clock=timezone.now, also=ALSO)
    assert SyncTotals.objects.get().errored == 0


def test_a_step_that_was_cut_off_is_done_again_and_makes_nothing_twice(shop, alice, monkeypatch):
    """As if the worker had died right behind each act, before it was saved."""
    run = begin(shop, "first_sync", alice)
    taken = running._take
    steps = []

    def die_once(stage, step):
        if isinstance(step, Do) and step not in steps:
            steps.append(step)
            step.act(stage)
            raise KeyboardInterrupt
        return taken(stage, step)

    monkeypatch.setattr(running, "_take", die_once)
    for cut_off in range(20):
        ahead = timedelta(seconds=200 * cut_off)  # the lease is over

        def clock(ahead: timedelta = ahead):
            return timezone.now() + ahead

        try:
            tell_by(clock, run)
            break
        except KeyboardInterrupt:
            assert len(steps) == cut_off + 1
    assert run.end == "passed", told(run)
    assert len(steps) == 5
    assert (Canvas.objects.count(), run.memory["coming"]) == (1, {str(run.canvas_id): 60})


def test_a_crowd_is_made_in_portions_and_the_page_says_how_many_are_there(shop, alice, monkeypatch):
    monkeypatch.setattr(made_up, "ROWS_PER_CHUNK", 1_000)
    monkeypatch.setattr(doing, "MAKE_FOR", 0)
    monkeypatch.setattr(running, "AT_ONCE", 0)
    run = begin(shop, "rush_hour", alice)
    running.advance_due(timezone.now())
    run.refresh_from_db()
    assert told(run) == ["now: Users are being made up: 1,000 of 4,000."]
    monkeypatch.setattr(running, "AT_ONCE", 60)
    tell(run)
    assert run.end == "passed", told(run)
    assert Profile.objects.count() == 4_000


def test_one_story_at_a_time(shop, alice):
    begin(shop, "first_sync", alice)
    with pytest.raises(runs.CannotStart, match="Another scenario"):
        begin(shop, "outage", alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        ScenarioRun.objects.create(
            workspace=shop,
            scenario="outage",
            users=1,
            started_at=timezone.now(),
            step_since=timezone.now(),
            next_at=timezone.now(),
        )


def test_only_an_admin_may_have_the_partner_reconnected(shop, erin, alice):
    with pytest.raises(runs.CannotStart, match="only an Admin"):
        begin(shop, "dead_token", erin)
    assert begin(shop, "dead_token").created_by == alice


def test_there_is_no_story_without_a_connection_or_at_the_real_partner(workspace, alice, shop, settings):
    settings.PINTEREST_APP_FROM_ENV = True
    with pytest.raises(runs.CannotStart, match="real Pinterest"):
        begin(shop, "first_sync", alice)
    Connection.objects.update(state="disconnected")
    with pytest.raises(runs.CannotStart, match="not connected"):
        begin(shop, "first_sync", alice)
    assert not ScenarioRun.objects.exists()


def test_a_scenario_that_is_gone_ends_its_run(shop, alice, put, monkeypatch):
    put()
    run = begin(shop, scenarios()["test"], alice)
    monkeypatch.delitem(scenarios(), "test")
    tell(run)
    assert (run.end, telling.lines_of(run)) == ("failed", [])


def test_the_pace_check_finds_a_crowded_second(shop, alice, sandbox):
    run = begin(shop, "first_sync", alice)
    tell(run)
    now = sandbox.clock.time() + 5  # no write of the story is near
    writes = [request for request in sandbox.log.requests if request.category == "ads_write"]
    stage = running.stage_of(run, timezone.now, lambda: None)
    assert looking.within_the_pace(stage).holds
    for number in range(8):
        sandbox.log.requests.append(
            type(writes[0])(now + number / 100, "PATCH", "/x", writes[0].pinterest_user, "ads_write", status=200)
        )
    seen = looking.within_the_pace(stage)
    assert (seen.holds, seen.figures["most"], seen.figures["limit"]) == (False, 8, 7)
