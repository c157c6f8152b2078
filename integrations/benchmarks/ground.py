"""Throw-away ground for a run: a data folder and a database that nobody else uses, and an end that leaves nothing.

The command that a person starts makes the ground and runs itself once more *inside*, with an environment that names
the ground only: no line inside can reach the installation. Everything started inside carries that environment, so the
sweep at the end finds it, however the inside ended.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from integrations.benchmarks.cluster import OwnCluster, programs
from integrations.benchmarks.processes import MANAGE, describe, free_port, kill, marked

MARK = "PINSYNC_BENCHMARK_GROUND"
# Whatever the installation is set to, a run starts from the defaults.
DROPPED = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DEBUG", "PORT", "BIND", "SANDBOX_PORT", "WEB_CONCURRENCY")
DROPPED_PREFIXES = ("PINSYNC_", "PINTEREST_", "EMAIL_", "SECURE_")
STOP_SECONDS = 40.0


class Ground:
    """A data folder, a database, ports, and the environment that names them."""

    def __init__(self, folder: Path, database_url: str, cluster: OwnCluster | None = None) -> None:
        self.folder, self.database_url, self.cluster = folder, database_url, cluster
        self.web_port, self.sandbox_port = free_port(), free_port()

    @property
    def mark(self) -> str:
        return f"{MARK}={self.folder}"

    @property
    def database(self) -> str:
        """Return what the database is: its vendor, or "own cluster"."""
        return "own cluster" if self.cluster else connection.vendor

    def environment(self) -> dict[str, str]:
        """Return the environment for everything that runs on this ground."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
        }
        sandbox = f"http://127.0.0.1:{self.sandbox_port}"
        return kept | {
            MARK: str(self.folder),
            "PINSYNC_DATA_DIR": str(self.folder / "data"),
            "DATABASE_URL": self.database_url,
            "PORT": str(self.web_port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "PINTEREST_API_URL": f"{sandbox}/v5",
            "PINTEREST_OAUTH_URL": f"{sandbox}/oauth/",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, command: Sequence[str], **variables: str) -> int:
        """Run a command of ours inside and return its exit status; Ctrl-C and SIGTERM stop it."""
        asked: list[int] = []

        def note(signum: int, frame: FrameType | None) -> None:
            asked.append(signum)

        before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
        inside = subprocess.Popen(  # noqa: S603  our own command
            [*MANAGE, *command], env=self.environment() | variables, stdin=subprocess.DEVNULL, start_new_session=True
        )
        killed_at = 0.0
        try:
            while inside.poll() is None:
                self._keep_cluster()
                if asked and not killed_at:
                    inside.terminate()
                    killed_at = time.monotonic() + STOP_SECONDS
                if killed_at and time.monotonic() > killed_at:
                    kill(inside.pid)
                time.sleep(0.05)
        finally:
            if inside.poll() is None:
                kill(inside.pid)
                inside.wait()
            for signum, handler in before.items():
                signal.signal(signum, handler)
        return 128 + asked[0] if asked else inside.returncode

    def sweep(self) -> list[str]:
        """Kill whatever of this ground still runs; return what that was."""
        left = {pid: describe(pid) for pid in marked(self.mark)}
        for pid in left:
            kill(pid)
        return list(left.values())

    def _keep_cluster(self) -> None:
        """Start our PostgreSQL again a moment after the inside killed it."""
        if self.cluster and self.cluster.server and self.cluster.server.poll() is not None:
            pause = self.folder / "database-pause"
            time.sleep(float(pause.read_text()) if pause.exists() else 1.0)
            self.cluster.start()
            (self.folder / "database-pid").write_text(str(self.cluster.server.pid))


@contextmanager
def throw_away(*, own_cluster: bool = False, keep: bool = False) -> Iterator[Ground]:
    """Make ground beside the installation's database; drop it at the end, with everything that still runs on it.

    On SQLite the database is a file in the folder. On PostgreSQL it is made beside the one that the settings name or,
    with `own_cluster` and where initdb is found, in a server of its own. SIGTERM ends the run as Ctrl-C does.
    """
    signal.signal(signal.SIGTERM, stop)  # its default would end us at once, with the ground still there
    folder = Path(tempfile.mkdtemp(prefix="pinsync-bench-"))
    (folder / "data").mkdir()
    cluster: OwnCluster | None = None
    made = ""
    try:
        if connection.vendor == "sqlite":
            url = f"sqlite:///{folder / 'data' / 'pinsync.sqlite3'}"
        elif own_cluster and programs():
            cluster = OwnCluster()
            cluster.make()
            assert cluster.server is not None
            (folder / "database-pid").write_text(str(cluster.server.pid))
            url = cluster.url
        else:
            made = f"{str(connection.settings_dict['NAME'])[:40]}_{folder.name[-8:]}".lower()
            _administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(made)))
            url = _url(made)
        ground = Ground(folder, url, cluster)
        try:
            yield ground
        finally:
            ground.sweep()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows takes a moment, and is the end anyway
        if cluster:
            cluster.stop()
        if made:
            _administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(made)))
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def stop(signum: int, frame: FrameType | None) -> None:
    """End this process from a signal, through everything that has to be put away."""
    raise SystemExit(128 + signum)


def inside() -> Path:
    """Return the folder of the ground we stand on. Raises RuntimeError on anything but throw-away ground."""
    folder = os.environ.get(MARK, "")
    if not folder or Path(settings.DATA_DIR) != (Path(folder) / "data").resolve():
        raise RuntimeError("This part of the command runs on throw-away ground only; leave out --inside.")
    return Path(folder)


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Hand the result to the command outside."""
    (folder / "result.json").write_text(json.dumps(result))


def read_result(ground: Ground) -> dict[str, Any] | None:
    """Return what the inside handed out; None when it did not come that far."""
    path = ground.folder / "result.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def _administer(statement: sql.Composed) -> None:
    """Run a statement about databases on the server that the settings name."""
    values = connection.settings_dict
    parameters = {**values["OPTIONS"], "dbname": "postgres"}
    for name, key in (("user", "USER"), ("password", "PASSWORD"), ("host", "HOST"), ("port", "PORT")):
        if values[key]:
            parameters[name] = values[key]
    known = {name: value for name, value in parameters.items() if name not in ("pool", "isolation_level")}
    with psycopg.connect(**known, autocommit=True) as server:
        server.execute(statement)


def _url(name: str) -> str:
    """Return the address of a database on the server that the settings name."""
    values = connection.settings_dict
    person = quote(str(values["USER"]), safe="")
    password = f":{quote(str(values['PASSWORD']), safe='')}" if values["PASSWORD"] else ""
    port = f":{values['PORT']}" if values["PORT"] else ""
    options = f"?{urlencode(values['OPTIONS'])}" if values["OPTIONS"] else ""
    return f"postgres://{person}{password}@{values['HOST']}{port}/{quote(name)}{options}"
