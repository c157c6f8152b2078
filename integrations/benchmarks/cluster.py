"""A PostgreSQL of a run's own, so that it may be killed: made by initdb, run by an unprivileged user."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from integrations.benchmarks.processes import NotReady, free_port, kill

NOBODIES = ("postgres", "nobody")  # who runs it when we are root: PostgreSQL refuses to
START_SECONDS = 60.0
SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": "200", "shared_buffers": "256MB"}


def programs() -> Path | None:
    """Return the folder of the newest installed PostgreSQL's programs, if there is one."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").is_file()]
    on_path = shutil.which("initdb")
    newest = max(found, key=lambda path: float(path.parent.name), default=None)
    return newest or (Path(on_path).resolve().parent if on_path else None)


class OwnCluster:
    """One PostgreSQL server with an empty database called `pinsync`."""

    def __init__(self) -> None:
        folder = programs()
        if folder is None:
            raise NotReady("There is no initdb on this machine, so no PostgreSQL can be made.")
        self.programs = folder
        self.folder = Path(tempfile.mkdtemp(prefix="pinsync-postgres-"))
        self.port = free_port()
        self.who: dict[str, Any] = {}
        if os.geteuid() == 0:
            person = next(entry for entry in pwd.getpwall() if entry.pw_name in NOBODIES)
            self.who = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
            os.chown(self.folder, person.pw_uid, person.pw_gid)
        self.server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://pinsync@127.0.0.1:{self.port}/pinsync"

    def make(self) -> None:
        """Make it, start it, and make the database."""
        self._run("initdb", "-D", str(self._data), "-U", "pinsync", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        with self.connect("postgres") as connection:
            connection.execute("CREATE DATABASE pinsync")

    def start(self) -> None:
        """Start the server and wait until it answers; after a kill that takes until its processes are gone."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.server is None or self.server.poll() is not None:
                self._launch()
            if time.monotonic() > deadline:
                raise NotReady(f"PostgreSQL did not start; its log is in {self.folder}.")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the first process of the server with -9. Its children notice and end."""
        assert self.server is not None
        kill(self.server.pid)
        self.server.wait()

    def stop(self) -> None:
        """Stop it and forget everything."""
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()  # "smart" would wait for clients for ever; they are gone, or killed below
            try:
                self.server.wait(3)
            except subprocess.TimeoutExpired:
                self.server.send_signal(3)  # SIGQUIT: at once
                self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="pinsync", dbname=database, autocommit=True, connect_timeout=5
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _launch(self) -> None:
        asked = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as output:
            self.server = subprocess.Popen(  # noqa: S603  our own command
                [str(self.programs / "postgres"), "-D", str(self._data), "-p", str(self.port), "-k", "", *asked],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                **self.who,
            )

    def _answers(self) -> bool:
        if self.server is None or self.server.poll() is not None:
            return False
        try:
            with self.connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603  our own command
            [str(self.programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            cwd="/",
            **self.who,
        )
        if done.returncode:
            raise NotReady(f"{program} failed: {done.stderr.strip()[-500:]}")
