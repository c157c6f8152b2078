"""Real `manage.py worker` processes on the test's own database, to be watched and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    """Return the address of the database that the test uses."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    user, host, port = quote(values["USER"]), values["HOST"], values["PORT"]
    password = f":{quote(values['PASSWORD'])}" if values["PASSWORD"] else ""
    return f"postgres://{user}{password}@{host}{f':{port}' if port else ''}/{values['NAME']}"


def environment() -> dict[str, str]:
    """Return what a process of ours needs to work on the test's database, with the test's sandbox."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "PINSYNC_WORKERS": "2",
        "PINTEREST_API_URL": settings.PINTEREST_API_URL,
        "PINTEREST_OAUTH_URL": settings.PINTEREST_OAUTH_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "PINSYNC_TOKEN_KEYS": ",".join(settings.TOKEN_KEYS),
    }


def until(what: Callable[[], object], seconds: float) -> float:
    """Wait until `what()` is true and return how long that took; fail when it takes longer than `seconds`."""
    start = time.monotonic()
    while not what():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - start


class Beside:
    """A process that runs some lines of Python beside the test, as a worker or the web process would."""

    def __init__(self, lines: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "manage.py", "shell", "--no-imports", "-c", lines],
            env=environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self, seconds: float) -> str:
        """Wait for its end and return what it printed."""
        out, problems = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, problems[-3000:]
        return out.strip()


class Worker:
    """One `manage.py worker`."""

    def __init__(self, log: Path, *arguments: str, **variables: str) -> None:
        env = environment()
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "manage.py", "worker", *arguments],
                env=env | variables,
                stdout=output,
                stderr=output,
                start_new_session=True,  # as a terminal or a service manager would
            )

    @property
    def supervisor(self) -> int:
        return self.process.pid

    @property
    def parent(self) -> int | None:
        """Return the process that ticks."""
        return next(iter(children(self.supervisor)), None)

    @property
    def cluster(self) -> list[int]:
        """Return the processes under the one that ticks: the guard, then its children."""
        guards = children(self.parent) if self.parent else []
        return guards + [child for guard in guards for child in children(guard)]

    def is_up(self) -> bool:
        return len(self.cluster) >= 5  # guard, two task processes, monitor, pusher

    def everything(self) -> list[int]:
        """Return all of its processes that are alive."""
        return [pid for pid in (self.supervisor, self.parent, *self.cluster) if pid and is_alive(pid)]

    def stop(self, signum: int = signal.SIGTERM, *, group: bool = False) -> float:
        """Stop it with a signal; return the seconds until nothing of it is left."""
        known = self.everything()
        start = time.monotonic()
        (os.killpg if group else os.kill)(self.supervisor, signum)
        self.process.wait(15)
        until(lambda: not any(is_alive(pid) for pid in known), 15)
        return time.monotonic() - start

    def kill_what_is_left(self) -> None:
        for pid in self.everything():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(5)


def children(pid: int) -> list[int]:
    """Return the child processes of a process, oldest first."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return sorted(int(child) for child in listed.split())


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
