"""The processes of the Procfile under honcho, until one of them ends or we are told to stop. Runs inside .venv.

honcho's own loop is kept; three things are mended here, each of which left processes behind when tried:
it looks for a process id that is not there when a signal comes during the start, it never kills when no process
answers to SIGTERM, and it does not notice the end of a process whose children hold its output open.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import honcho.manager
from honcho.environ import parse_procfile
from honcho.printer import Printer
from honcho.process import Popen, Process

ROOT = Path(__file__).resolve().parent.parent.parent
# More than the worker takes to kill what does not stop (7 s), less than bin/demo waits for us (foreground.py).
KILL_AFTER_SECONDS = 8


class WholeGroup(Process):
    """One line of the Procfile. Its end is the end of its first process, and then of all that this one started."""

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        self._events = events
        child = Popen(self.cmd, env=self.env, cwd=self.cwd, stdin=subprocess.DEVNULL)
        self._send_message({"pid": child.pid}, type="start")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reader = threading.Thread(target=self._relay, args=(child,), daemon=True)
        reader.start()
        code = child.wait()
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._nobody_left = True  # as it should be
        reader.join(1)
        self._send_message({"returncode": code}, type="stop")

    def _relay(self, child: Popen) -> None:
        for line in iter(child.stdout.readline, b""):
            self._send_message(line)


class Processes(honcho.manager.Manager):
    """honcho's manager, knowing who ended first and whether that was wanted."""

    def __init__(self) -> None:
        super().__init__(Printer(sys.stdout))
        self._process_ctor = WholeGroup
        self.wanted = False
        self.first = ""

    def terminate(self) -> None:
        if not self.first:
            self.wanted = True
        if self._all_started():
            super().terminate()

    def _any_stopped(self) -> bool:
        ended = [name for name, process in self._processes.items() if process.get("returncode") is not None]
        if ended and not self.wanted and not self.first:
            self.first = ended[0]
        return self.wanted or bool(ended)

    def _start(self) -> None:
        super()._start()
        threading.Thread(target=self._stop_with_our_caller, daemon=True).start()

    def _stop_with_our_caller(self) -> None:
        # Not sys.stdin.read(): a thread inside it makes the interpreter abort when it ends.
        os.read(0, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _system_print(self, data: str) -> None:
        """Say nothing: honcho calls this inside its signal handler, where printing may fail half-way."""

    def code_of(self, name: str) -> int:
        return int(self._processes[name]["returncode"])


def main() -> int:
    honcho.manager.KILL_WAIT = KILL_AFTER_SECONDS
    processes = Processes()
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        processes.add_process(name, command, env=dict(os.environ), cwd=str(ROOT))
    processes.loop()
    for child in multiprocessing.active_children():
        child.join(1)
    if processes.first:
        print(f"“{processes.first}” has ended by itself, with exit code {processes.code_of(processes.first)}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
