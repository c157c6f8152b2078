"""The parts of the instruments that need no process: plans, the model, the pace, percentiles, and the walls around."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from integrations.benchmarks import ground, pace, result
from integrations.benchmarks.chaos import plan
from integrations.benchmarks.chaos.model import Asked, Model
from integrations.benchmarks.chaos.watching import wrong_figures
from integrations.benchmarks.meter import Meter
from integrations.benchmarks.processes import MANAGE
from integrations.models import Arrival, AudienceSync, SyncTotals
from pinsync.workspaces.models import Workspace

linux = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="The meter reads Linux's /proc.")

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def drawn(seed, database="own cluster"):
    return plan.draw(seed, seconds=300, audiences=6, rate=300, database=database)


def test_a_seed_always_means_the_same():
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_plan_holds_every_kind_of_breakage_and_about_as_many_users_as_asked_for():
    long = plan.draw(1, seconds=3000, audiences=6, rate=300, database="own cluster")
    assert {breakage.what for breakage in long.breakages} == {
        *plan.KILLS,
        *plan.FAULTS,
        *plan.PEOPLE,
        *plan.DATABASE,
        *plan.SERVER,
    }
    assert 0.7 < sum(entry.users for entry in long.entries) / (300 * 3000) < 1.2
    assert {entry.audience for entry in long.entries} == set(range(6))


def test_what_cannot_be_killed_is_not_planned():
    assert not {breakage.what for breakage in drawn(3, "sqlite").breakages} & {*plan.DATABASE, *plan.SERVER}
    assert not {breakage.what for breakage in drawn(3, "postgresql").breakages} & {*plan.SERVER}


def asked(place, operation, minutes, profiles):
    return Asked(place, 1, 1 if operation == "add" else 2, operation, NOON + timedelta(minutes=minutes), profiles)


def test_the_model_knows_the_last_intent():
    model = Model()
    first, second, third = (
        asked(0, "add", 0, range(10)),
        asked(1, "remove", 1, range(0, 10, 2)),
        asked(2, "add", 2, range(2)),
    )
    for each in (first, second, third):
        model.note(each)
    assert {profile for profile, last in model.last(1).items() if last.operation == "add"} == {0, 1, 3, 5, 7, 9}
    assert model.undone(first, 4)
    assert not model.undone(first, 1)
    assert not model.undone(third, 0)
    assert model.users == 17


@pytest.mark.parametrize(
    ("times", "most", "early"),
    [
        ([n * 0.15018 for n in range(100)], 7, 0),
        ([n * 0.14 for n in range(100)], 8, 93),
        ([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0], 7, 0),  # a second after the first is outside of its window
        ([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.999], 8, 1),
    ],
)
def test_the_pace_is_judged_as_the_sandbox_judges_it(times, most, early):
    assert pace.most_in(times, 1.0) == most
    assert len(pace.too_early(times, 1.0, 7)) == early


def test_a_429_is_of_our_own_making_unless_it_was_a_storm():
    line = {"category": "ads_write", "pinterest_user": "1", "path": "/", "status": 429, "fault": None}
    log = [
        line | {"time": 5.0},
        line | {"time": 9.0, "fault": "rate_limit"},
        line | {"time": 7.0, "category": "ads_read"},
    ]
    found = pace.kept(log, began=5.0)["1"]
    assert (found["requests"], found["refused_429"], found["refused_429_of_our_own_making"]) == (2, 2, 1)


def test_percentiles_weigh_by_users():
    assert result.percentiles([(1.0, 94), (2.0, 4), (9.0, 2)]) == {"p50": 1.0, "p95": 2.0, "p99": 9.0, "longest": 9.0}
    assert result.percentiles([]) == {}


def test_a_figure_that_counting_does_not_give_is_found(db):
    workspace = Workspace.objects.create(name="Shop", slug="shop")
    sync = AudienceSync.objects.create(workspace=workspace, partner="pinterest", operation="add", match_fields=1)
    SyncTotals.objects.create(sync=sync, entered=2, pending=1, synced=1)
    arrival = Arrival(
        sync=sync, profile_id=1, audience_id=1, operation="add", match_fields=1, entered_at=timezone.now()
    )
    arrival.save()
    assert wrong_figures() == [f"sync {sync.pk}: synced is 1, counted 0"]


def test_nothing_runs_inside_but_on_throw_away_ground(monkeypatch, tmp_path):
    with pytest.raises(RuntimeError, match="throw-away ground"):
        ground.inside()
    monkeypatch.setenv(ground.MARK, str(tmp_path))  # names ground that the settings do not stand on
    with pytest.raises(RuntimeError, match="throw-away ground"):
        ground.inside()


def test_the_ground_names_nothing_of_the_installation(monkeypatch, tmp_path):
    monkeypatch.setenv("PINTEREST_APP_ID", "4242")
    monkeypatch.setenv("PINSYNC_TOKEN_KEYS", "a-key")
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody@127.0.0.1/production")
    env = ground.Ground(tmp_path, "sqlite:///there").environment()
    assert env["DATABASE_URL"] == "sqlite:///there"
    assert not {"PINTEREST_APP_ID", "PINSYNC_TOKEN_KEYS"} & set(env)
    assert env["PINSYNC_DATA_DIR"] == str(tmp_path / "data")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["chaos", "--minutes", "0"], "have to be more than 0"),
        (["bench_delivery", "--users", "0"], "have to be at least 1"),
        (["bench_delivery", "--history", "0"], "has to be longer"),
        (["bench_delivery", "--history", "100000"], "has to be longer"),
    ],
)
def test_nonsense_is_refused(command, sentence):
    done = subprocess.run([sys.executable, *MANAGE[1:], *command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert sentence in done.stderr


@linux
def test_a_figure_says_how_much_of_the_machine_it_had(monkeypatch):
    """The host may have lent it to others, which no process of ours can see in its own time."""
    meter = Meter([])
    with monkeypatch.context() as now:
        now.setattr(Path, "read_text", lambda _: "cpu 100 0 50 800 40 0 0 10 60 0")
        meter.start()
        now.setattr(Path, "read_text", lambda _: "cpu 160 0 80 900 60 0 0 90 110 0")
        meter.stop()
    # 1000 ticks at first and 1290 at the end: 120 of 290 without work, 80 stolen; guests run in the user's ticks.
    assert meter.machine() == {"cores": os.cpu_count(), "idle_share": 0.414, "stolen_share": 0.276}
