"""The simulator's runs, without a page: who enters when, and what survives what."""

from datetime import timedelta
from itertools import pairwise

import pytest

from canvas import drawing, launching, samples, simulator, watching
from canvas.models import Canvas, Entry, Move, SimulatorRun
from canvas.picture import level
from canvas.simulator import LEASE, SPIKE_EVERY, Order, owed
from integrations.models import AudienceSync, SyncTotals
from pinsync.profiles import made_up, sample_csv
from pinsync.profiles.made_up import make_profiles
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Profile, Segment
from tests.canvas.conftest import NOON, people

pytestmark = pytest.mark.django_db

BURST = Order("segment", "burst")
STEADY = Order("segment", "steady", per_second=2)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def entered(canvas):
    return Entry.objects.filter(canvas=canvas).count()


def everybody_is_synced(canvas):
    """Say that the partner has accepted all who are pending."""
    for totals in SyncTotals.objects.filter(sync__step__canvas=canvas):
        SyncTotals.objects.filter(pk=totals.pk).update(synced=totals.synced + totals.pending, pending=0)


def test_a_burst_lets_everybody_in_at_once_by_the_same_door(running, erin):
    people(running.workspace, 10)
    run = simulator.start(running, BURST, user=erin, now=NOON)
    assert entered(running) == 0
    assert simulator.advance_due(NOON) == 10
    run.refresh_from_db()
    assert (run.total, run.sent, run.entered, run.sent_at, run.is_over) == (10, 10, 10, NOON, False)
    assert list(Move.objects.values_list("users", "source")) == [(10, "simulator")]


def test_a_run_is_done_when_nobody_is_pending(running):
    people(running.workspace, 10)
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    simulator.advance_due(at(5))
    run.refresh_from_db()
    assert not run.is_over
    everybody_is_synced(running)
    simulator.advance_due(at(10))
    run.refresh_from_db()
    assert (run.end, run.finished_at) == ("done", at(10))
    assert run.samples == [[0, 0, 0, 0, 0], [0, 10, 0, 0, 0], [5, 10, 0, 0, 0], [10, 0, 10, 0, 0]]


def test_a_run_is_watched_for_half_an_hour_at_most(running):
    people(running.workspace, 1)
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    simulator.advance_due(at(31 * 60))
    run.refresh_from_db()
    assert run.end == "done"


def test_users_of_a_steady_run_come_tick_by_tick(running):
    people(running.workspace, 25)
    simulator.start(running, STEADY, user=None, now=NOON)
    came = []
    for seconds in (0, 1, 5, 10, 15):
        simulator.advance_due(at(seconds))
        came.append(entered(running))
    assert came == [10, 10, 20, 25, 25]


@pytest.mark.parametrize(
    ("pattern", "seconds", "expected"),
    [
        ("burst", 0, 1000),
        ("steady", 0, 50),
        ("steady", 5, 100),
        ("steady", 7.25, 123),
        ("steady", 1000, 1000),
        ("spikes", 0, 200),
        ("spikes", SPIKE_EVERY - 0.1, 200),
        ("spikes", SPIKE_EVERY, 400),
        ("spikes", 1000, 1000),
        ("steady", -3, 50),
        ("friday", 0, 1),
        ("friday", 45, 188),
        ("friday", 70, 633),
        ("friday", 95, 1000),
        ("friday", 1000, 1000),
    ],
)
def test_how_many_should_have_come(pattern, seconds, expected):
    run = SimulatorRun(pattern=pattern, per_second=10, total=1000, started_at=NOON)
    assert owed(run, at(seconds)) == expected


def test_a_large_burst_comes_in_slices_of_one_transaction_each(running, monkeypatch):
    monkeypatch.setattr(simulator, "USERS_AT_ONCE", 4)
    people(running.workspace, 10)
    simulator.start(running, BURST, user=None, now=NOON)
    assert simulator.advance_due(NOON) == 10
    assert list(Move.objects.order_by("pk").values_list("users", flat=True)) == [4, 4, 2]


def test_after_some_slices_others_take_their_turn(running, monkeypatch):
    monkeypatch.setattr(simulator, "USERS_AT_ONCE", 1)
    monkeypatch.setattr(simulator, "SLICES_AT_ONCE", 3)
    people(running.workspace, 5)
    simulator.start(running, BURST, user=None, now=NOON)
    assert [simulator.advance_due(NOON) for _ in range(3)] == [3, 2, 0]


def test_a_worker_that_dies_leaves_a_run_that_goes_on_after_its_lease(running):
    people(running.workspace, 3)
    run = simulator.start(running, BURST, user=None, now=NOON)
    SimulatorRun.objects.filter(pk=run.pk).update(next_at=NOON + LEASE)  # taken, and nothing came of it
    assert simulator.advance_due(at(5)) == 0
    assert simulator.advance_due(NOON + LEASE) == 3


def test_a_stopped_run_takes_nobody_to_the_door(running, erin):
    people(running.workspace, 25)
    run = simulator.start(running, STEADY, user=erin, now=NOON)
    simulator.advance_due(NOON)
    assert simulator.stop(run, user=erin, now=at(3)) is True
    assert simulator.stop(run, user=erin, now=at(4)) is False
    simulator.advance_due(at(60))
    run.refresh_from_db()
    assert (entered(running), run.end, run.finished_at) == (10, "stopped", at(3))


def test_a_run_ends_with_its_canvas(running):
    people(running.workspace, 25)
    run = simulator.start(running, STEADY, user=None, now=NOON)
    simulator.advance_due(NOON)
    launching.stop(running, None, at(2))
    simulator.advance_due(at(5))
    run.refresh_from_db()
    assert (entered(running), run.sent, run.end) == (10, 10, "canvas_stopped")


def test_who_entered_before_comes_to_the_door_and_is_not_let_in(running):
    people(running.workspace, 4)
    simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    again = simulator.start(running, BURST, user=None, now=at(60))
    simulator.advance_due(at(60))
    again.refresh_from_db()
    assert (again.sent, again.entered) == (4, 0)


def test_made_up_users_are_made_when_a_worker_begins(running):
    order = Order("made_up", "burst", number=40, missing_percent=25)
    run = simulator.start(running, order, user=None, now=NOON)
    assert not Profile.objects.exists()
    simulator.advance_due(NOON)
    run.refresh_from_db()
    sync = AudienceSync.objects.get()
    assert (run.total, run.entered, run.users.rows) == (40, 40, 40)
    assert (sync.totals.pending, sync.totals.not_synced) == (30, 10)


def test_many_users_are_made_in_portions_that_fit_into_a_task(running, monkeypatch):
    monkeypatch.setattr(made_up, "ROWS_PER_CHUNK", 20)
    monkeypatch.setattr(simulator, "MAKE_FOR", 0)
    run = simulator.start(running, Order("made_up", "burst", number=50), user=None, now=NOON)
    came = [simulator.advance_due(NOON) for _ in range(4)]
    run.refresh_from_db()
    assert (came, run.total, run.users.state) == ([0, 0, 50, 0], 50, "done")
    assert Profile.objects.count() == 50


def test_made_up_users_carry_the_one_field_that_a_canvas_matches_on(running):
    AudienceSync.objects.update(match_fields=MatchField.IDFA)
    run = simulator.start(running, Order("made_up", "burst", number=40, missing_percent=25), user=None, now=NOON)
    simulator.advance_due(NOON)
    run.refresh_from_db()
    sync = AudienceSync.objects.get()
    assert (sync.totals.pending, sync.totals.not_synced) == (30, 10)


def test_the_bundled_export_is_imported_first(running):
    run = simulator.start(running, Order("sample", "burst"), user=None, now=NOON)
    simulator.advance_due(NOON)
    run.refresh_from_db()
    assert run.users.name == sample_csv.SAMPLE.name
    assert run.total == run.entered == Profile.objects.count() > 1000


def test_only_the_users_of_the_segment_come(running):
    people(running.workspace, 5)
    segment = Segment.objects.create(
        workspace=running.workspace,
        name="One",
        filters={"groups": [{"rules": [{"field": "external_id", "operator": "text.equals", "value": "u3"}]}]},
    )
    simulator.start(running, Order("segment", "burst", segment=segment), user=None, now=NOON)
    assert simulator.advance_due(NOON) == 1


def test_a_segment_that_makes_no_sense_ends_its_run_alone(running):
    people(running.workspace, 5)
    broken = Segment.objects.create(workspace=running.workspace, name="Broken", filters={"match": "none"})
    run = simulator.start(running, Order("segment", "burst", segment=broken), user=None, now=NOON)
    simulator.start(running, BURST, user=None, now=NOON)
    assert simulator.advance_due(NOON) == 5
    run.refresh_from_db()
    assert run.end == "no_users"


def test_exit_criteria_that_make_no_sense_end_the_run(running):
    people(running.workspace, 5)
    running.exit_segment = Segment.objects.create(workspace=running.workspace, name="Broken", filters={"match": "none"})
    running.save()
    run = simulator.start(running, BURST, user=None, now=NOON)
    assert simulator.advance_due(NOON) == 0
    run.refresh_from_db()
    assert (run.end, run.entered, run.sent) == ("no_users", 0, 0)


def test_a_run_without_users_is_done_at_once(running):
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    run.refresh_from_db()
    assert (run.total, run.end) == (0, "done")


def test_the_samples_of_a_long_run_are_thinned_and_keep_both_ends(running, monkeypatch):
    monkeypatch.setattr(samples, "MOST_SAMPLES", 6)
    people(running.workspace, 1)
    run = simulator.start(running, BURST, user=None, now=NOON)
    for tick in range(12):
        simulator.advance_due(at(5 * tick))
    run.refresh_from_db()
    seconds = [sample[0] for sample in run.samples]
    assert len(seconds) <= 7
    assert (seconds[0], seconds[-1]) == (0, 55)
    assert seconds == sorted(seconds)


def drawn(run, now):
    watched = watching.watched_run(run)
    return watching.over_time(watched, watching.scene_of(watched, now))


def test_the_chart_counts_from_the_start_of_the_run_and_ends_with_now(running):
    people(running.workspace, 2)
    first = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    everybody_is_synced(running)
    simulator.advance_due(at(5))
    Canvas.objects.filter(pk=running.pk).update(reentry=True)
    running.refresh_from_db()
    again = simulator.start(running, BURST, user=None, now=at(60))
    simulator.advance_due(at(60))
    first.refresh_from_db()
    again.refresh_from_db()
    done = {line.key: line.value for line in drawn(first, at(90)).lines}
    going = drawn(again, at(90))
    assert done == {"pending": 0, "synced": 2, "errored": 0}
    assert {line.key: line.value for line in going.lines} == {"pending": 2, "synced": 0, "errored": 0}
    assert going.seconds == 10  # nothing has changed since it was last written down: no new point
    everybody_is_synced(running)
    assert drawn(again, at(90)).seconds == 30


def test_lines_are_drawn_from_zero_to_a_round_number():
    drawn = drawing.lines([0, 10, 20], [("synced", "Synced", [0, 30, 60])])
    assert (drawn.highest, drawn.seconds) == (100, 20)
    assert drawn.lines[0].points == "0.0,220.0 500.0,154.0 1000.0,88.0"


def test_bars_count_the_seconds_of_the_clock():
    drawn = drawing.bars([57.9, 58.0, 58.99, 60.5, 1.0], now=60.7, seconds=4, limit=1)
    assert [(bar.value, bar.over) for bar in drawn.bars] == [(1, False), (2, True), (1, False)]
    assert (drawn.most, drawn.now) == (2, 0)
    assert all(0 <= bar.x < 1000 and 0 <= bar.y <= 220 for bar in drawn.bars)


def test_black_friday_rises_to_twice_the_average_and_falls_off():
    run = SimulatorRun(pattern="friday", per_second=100, total=100_000, started_at=NOON)
    came = [owed(run, at(second)) for second in range(0, 1001, 50)]
    rates = [(after - before) / 50 for before, after in pairwise(came)]
    assert came == sorted(came)
    assert max(rates) == pytest.approx(211, abs=3)
    assert rates.index(max(rates)) in (14, 15)  # of 20: three quarters of the time
    assert rates[0] < 1 < rates[-1] < max(rates) / 4


def test_a_black_friday_without_users_is_over():
    assert owed(SimulatorRun(pattern="friday", per_second=10, total=0, started_at=NOON), NOON) == 0


def test_users_who_are_there_already_are_not_made_again(running):
    users = make_profiles(running.workspace, 12, 0.25, seed=1, now=NOON, carry=MatchField.EMAIL, name="Ours")
    order = Order("made_up", "burst", number=12, users=users)
    run = simulator.start(running, order, user=None, now=NOON)
    simulator.advance_due(NOON)
    run.refresh_from_db()
    assert (run.total, run.entered, Profile.objects.count(), users.name) == (12, 12, 12, "Ours")
    assert Profile.objects.filter(email_record__isnull=False, idfa="", gaid="").count() == 9


def test_motion_grows_with_the_power_of_ten():
    assert [level(rate) for rate in (-1, 0, 0.2, 9, 10, 99, 1_000, 50_000)] == [0, 0, 1, 1, 2, 2, 4, 4]


def test_a_scene_tells_how_lively_users_move_and_what_the_audience_should_hold(running):
    people(running.workspace, 30)
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    run.refresh_from_db()
    scene = watching.scene_of(watching.watched_run(run), at(5))
    assert scene.tiles == list(
        {
            "entered": 30,
            "proceeded": 30,
            "synced": 0,
            "not_synced": 0,
            "pending": 30,
            "errored": 0,
            "exited": 30,
        }.items()
    )
    assert scene.levels([[0, 0, 0, 0, 0]]) == {"in": 1, "out": 0}
    everybody_is_synced(running)
    after = watching.scene_of(watching.watched_run(run), at(10))
    assert after.levels(run.samples) == {"in": 0, "out": 1}
    assert [(count.said, count.pending, count.has_removals) for count in after.counts] == [(30, 0, False)]
