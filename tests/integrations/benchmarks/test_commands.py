"""`chaos` and `bench_delivery`, run for real and short, on the database that the tests use."""

import os
import signal
import time
from pathlib import Path

import pytest

from integrations.benchmarks.processes import marked
from tests.grounds import begin, databases_left, run
from tests.workers import until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]


def test_nobody_is_lost_in_forty_seconds_of_chaos(tmp_path):
    found = run(tmp_path, "chaos", "--minutes", "0.67", "--seed", "11", "--hurry", seconds=240)
    assert found["failures"] == []
    assert found["status"] == 0
    assert found["users_entered"] > 3_000
    assert found["users_sent"] + sum(found["users_not_sent"].values()) == found["users_entered"]
    assert sum(found["broken"].values()) >= 10
    assert set(found["never_broken"]).isdisjoint(found["broken"])
    assert found["samples"]["looks"] > 50


@pytest.mark.timed
def test_what_is_measured_adds_up_and_nothing_is_left(tmp_path):
    found = run(tmp_path, "bench_delivery", "--users", "12000", "--pinterest-users", "2", "--latency", "0", seconds=150)
    assert (found["entered"], found["synced"], found["pending"]) == (24_000, 24_000, 0)
    assert found["processes_left"] == []
    assert found["machine"]["cores"] == os.cpu_count()
    assert 0 <= found["machine"]["idle_share"] + found["machine"]["stolen_share"] < 1
    assert len(found["each_pinterest_user"]) == 2
    for person, of_person in found["each_pinterest_user"].items():
        assert of_person["users"] == 12_000
        assert of_person["share_of_ceiling"] > 0
        # The sandbox is the witness of the limit; a share of so few requests says little of it.
        assert found["pace"][person]["most_in_1_s"] <= 7
        assert of_person["batches"] + 2 == found["pace"][person]["requests"] - found["pace"][person]["refused_429"]


@pytest.mark.timed
def test_a_few_are_accepted_within_ten_seconds_beside_a_crowd(tmp_path):
    found = run(tmp_path, "bench_delivery", "--fairness", "150000", seconds=150)
    assert [one["operation"] for one in found["others"]] == ["add", "remove", "add"]
    assert all(one["crowd_pending"] > 0 for one in found["others"])
    assert found["slowest_seconds"] <= found["promised_seconds"] == 10


def test_ctrl_c_leaves_nothing(tmp_path):
    process = begin(tmp_path, "bench_delivery", "--steady", "50", "--seconds", "100", "--keep")
    ground_line = tmp_path / "err"
    until(lambda: "throw-away ground:" in ground_line.read_text(), 30)
    folder = ground_line.read_text().split("throw-away ground:")[1].split()[0]
    mark = f"PINSYNC_BENCHMARK_GROUND={folder}"
    until(lambda: len(marked(mark)) >= 6, 60)  # the inside, its sandbox, a worker of several processes
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    assert process.returncode != 0
    assert time.monotonic() - started < 40
    assert marked(mark) == []
    assert not databases_left()
