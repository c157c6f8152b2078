"""Commands one after another, stopped at once when somebody asks. Standard library only: it runs before any install.

Signals only leave a note here, and every wait is a short one that looks at the note. An exception out of a signal
handler could strike between the start of a process and the line that remembers it, and leave it running.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GRACE_SECONDS = 1.5  # for a command that should end at once
# For what serves: more than its processes are given (serve.py), less than the ten seconds we promise.
STOP_SECONDS = 9.5
LINES_SHOWN = 25


class Failed(Exception):
    """Something that a person must mend first, as a sentence."""


class Asked(Exception):
    """Somebody pressed Ctrl-C or sent a signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Foreground:
    """The program that a person started and may stop at any moment."""

    def __init__(self) -> None:
        self._asked = 0
        self.serving: subprocess.Popen[bytes] | None = None  # what needs time to stop, so it is told first
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._note)

    def _note(self, signum: int, _frame: object) -> None:
        self._asked = self._asked or signum

    def pause(self, seconds: float = 0.05) -> None:
        """Wait a little. Raises Asked when it is time to stop."""
        if self._asked:
            if self.serving and self.serving.poll() is None:
                self.serving.terminate()
            raise Asked(self._asked)
        time.sleep(seconds)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise Failed(otherwise)
            self.pause()

    def follow(
        self, command: Sequence[str | Path], env: Mapping[str, str], look: Callable[[], None] = lambda: None
    ) -> int:
        """Run a command with our output as its own and return its exit code; `look` is called while it runs."""
        return self._wait(_start(command, env, stdout=None), look)

    def quietly(
        self,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        otherwise: str,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a command and show what it says only if it fails. Raises Failed with `otherwise`."""
        with tempfile.TemporaryFile() as output:
            code = self._wait(_start(command, env, stdout=output), look)
            if code:
                output.seek(0)
                for line in output.read().decode(errors="replace").splitlines()[-LINES_SHOWN:]:
                    tell(f"    {line}")
                raise Failed(otherwise)

    def _wait(self, process: "subprocess.Popen[bytes]", look: Callable[[], None]) -> int:
        try:
            while process.poll() is None:
                look()
                self.pause()
            self.pause(0)  # one that was just being started gets the signal, too: that is no failure of its own
        finally:
            stop_group(process, GRACE_SECONDS)
        return process.returncode


def main_of(work: Callable[[Foreground], int]) -> int:
    """Do what a person started, and return the exit code: that of `work`, or one that says why it ended before."""
    foreground = Foreground()
    try:
        return work(foreground)
    except Failed as problem:
        tell(str(problem))
        return 1
    except Asked as asked:
        return 128 + asked.signum
    finally:
        if foreground.serving:
            stop_group(foreground.serving, STOP_SECONDS)


def _start(command: Sequence[str | Path], env: Mapping[str, str], stdout: object) -> "subprocess.Popen[bytes]":
    # A session of its own: what the terminal or a kill sends to our group reaches us alone, and we pass it on once.
    return subprocess.Popen(  # type: ignore[call-overload]
        list(map(str, command)),
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT if stdout else None,
        start_new_session=True,
    )


def stop_group(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """End a process that leads a group, and whatever it left in that group."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            tell(f"Process {process.pid} does not stop by itself; it is killed.")
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left; macOS says EPERM of a group of zombies
    finally:
        process.wait()


def tell(text: str) -> None:
    """Say how far we are. To stderr: stdout is for what programs read."""
    print(text, file=sys.stderr, flush=True)
