"""`chaos` and `bench_delivery`, run for real and short, on the database that the tests use."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from django.db import connection

from integrations.benchmarks.processes import MANAGE, marked
from tests.workers import database_url, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]


def begin(tmp_path, *command) -> subprocess.Popen:
    """Start a command on an installation whose database is the test's; its ground is made in `tmp_path`."""
    env = os.environ | {"DATABASE_URL": database_url(), "PINSYNC_DATA_DIR": str(tmp_path / "data")}
    if command[0] != "chaos":  # which may make a PostgreSQL, run by somebody who cannot reach the test's folder
        env |= {"TMPDIR": str(tmp_path)}
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        return subprocess.Popen(
            [*MANAGE, *command],
            env=env,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def run(tmp_path, *command, seconds) -> dict:
    process = begin(tmp_path, *command, "--json")
    try:
        status = process.wait(seconds)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
    assert status in (0, 1), (tmp_path / "err").read_text()[-3000:]
    assert not databases_left()
    return json.loads((tmp_path / "out").read_text()) | {"status": status}


def databases_left() -> list[str]:
    """Return throw-away databases beside the test's."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> current_database()",
            [f"{str(connection.settings_dict['NAME'])[:40]}_"],
        )
        return [name for (name,) in cursor.fetchall()]


def test_nobody_is_lost_in_forty_seconds_of_chaos(tmp_path):
    found = run(tmp_path, "chaos", "--minutes", "0.67", "--seed", "11", "--hurry", seconds=240)
    assert found["failures"] == []
    assert found["status"] == 0
    assert found["users_entered"] > 3_000
    assert found["users_sent"] + sum(found["users_not_sent"].values()) == found["users_entered"]
    assert sum(found["broken"].values()) >= 10
    assert found["samples"]["looks"] > 50


def test_what_is_measured_adds_up_and_nothing_is_left(tmp_path):
    found = run(tmp_path, "bench_delivery", "--users", "12000", "--pinterest-users", "2", "--latency", "0", seconds=150)
    assert (found["entered"], found["synced"], found["pending"]) == (24_000, 24_000, 0)
    assert found["processes_left"] == []
    assert len(found["each_pinterest_user"]) == 2
    for person, of_person in found["each_pinterest_user"].items():
        assert of_person["users"] == 12_000
        assert of_person["share_of_ceiling"] > 0
        # The sandbox is the witness of the limit; a share of so few requests says little of it.
        assert found["pace"][person]["most_in_1_s"] <= 7
        assert of_person["batches"] + 2 == found["pace"][person]["requests"] - found["pace"][person]["refused_429"]


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
