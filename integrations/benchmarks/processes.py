"""Processes that a run starts, and what Linux tells about them in /proc."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from django.conf import settings

MANAGE = (sys.executable, str(Path(settings.BASE_DIR) / "manage.py"))
STOP_SECONDS = 12.0  # a worker takes up to 7 s to kill what does not stop by itself


class NotReady(Exception):
    """Something did not happen in time. The message says what."""


class Process:
    """A program in a session of its own, started again under the same name after it was killed."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.command, self.env, self.log = name, list(command), dict(env), log
        self.running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(  # noqa: S603  our own command
                self.command,
                cwd=settings.BASE_DIR,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def is_up(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def kill(self) -> None:
        """Kill its first process with -9 and wait for it; what that one started is left to notice by itself."""
        if self.running is not None:
            kill(self.pid)
            self.running.wait()

    def stop(self) -> None:
        """Ask it to stop; kill it and its group when it does not."""
        if self.running is None:
            return
        if self.running.poll() is None:
            self.running.terminate()
        try:
            self.running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill(self.pid)
        kill_group(self.pid)
        self.running.wait()
        self.running = None

    def family(self) -> list[int]:
        """Return the ids of its processes that are alive, its own first."""
        return family(self.pid) if self.is_up() else []


def kill(pid: int, signum: int = signal.SIGKILL) -> bool:
    """Send a signal; return whether there was somebody to send it to."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def kill_group(pid: int) -> bool:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[int]:
    """Return the child processes of a process, oldest first."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return sorted(int(child) for child in listed.split())


def family(pid: int) -> list[int]:
    """Return a process and everything below it."""
    return [pid] + [member for child in children(pid) for member in family(child)]


def threads(pid: int) -> int:
    """Return how many threads a process has; 0 when it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def marked(variable: str) -> list[int]:
    """Return the processes that were started with this `NAME=value` in their environment, but for this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is somebody else's
    return sorted(set(found) - {os.getpid()})


def describe(pid: int) -> str:
    """Return a process's command, parent and state; nothing personal stands in our command lines."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().split()
        state, parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return f"{pid} ended"
    return f"{pid} below {parent} ({state}): {' '.join(command[1:5])}"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Callable[[], object], seconds: float, otherwise: str, *, look_every: float = 0.05) -> float:
    """Wait until `what()` is true and return how long that took. Raises NotReady after `seconds`."""
    start = time.monotonic()
    while not what():
        if time.monotonic() - start > seconds:
            raise NotReady(otherwise)
        time.sleep(look_every)
    return time.monotonic() - start
