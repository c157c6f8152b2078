"""Commands that measure on throw-away ground, run for real beside the test's own database."""

import json
import os
import subprocess

from django.db import connection

from integrations.benchmarks.processes import MANAGE
from tests.workers import database_url


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
    beginning = f"{str(connection.settings_dict['NAME'])[:40]}_"
    with connection.cursor() as cursor:
        cursor.execute(  # eight characters: a run of the tests in several processes may have left some that end in _gw0
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND length(datname) = length(%s) + 8",
            [beginning, beginning],
        )
        return [name for (name,) in cursor.fetchall()]
