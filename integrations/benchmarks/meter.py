"""CPU seconds and peak memory of the processes of a run, read from /proc all the time: what ended is not forgotten.

And what the machine gave: a virtual one may promise two cores and lend them to others.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from integrations.benchmarks.processes import children, family

LOOK_EVERY = 0.5
TICKS = os.sysconf("SC_CLK_TCK")
IDLE, WAITING, STOLEN, GUESTS = 3, 4, 7, 8  # places in the line of /proc/stat for all cores, as proc(5) tells


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of a process without its children; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS


def of_all_cores(stat: str) -> tuple[int, int, int]:
    """Return all ticks since the machine started, those without work, and those that the host gave to others."""
    ticks = [int(field) for field in stat.splitlines()[0].split()[1:]]
    return sum(ticks[:GUESTS]), ticks[IDLE] + ticks[WAITING], ticks[STOLEN]  # guests are in the user's ticks already


def peak_mb(pid: int) -> float | None:
    """Return the largest resident memory that a process ever had."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else None


def worker_roles(pid: int) -> dict[str, list[int]]:
    """Return the processes of one `manage.py worker` by what they do."""
    parents = children(pid)
    below = [member for parent in parents for member in family(parent)[1:]]
    return {"worker supervisor": [pid], "worker parent": parents, "worker child": below}


def backends_of(database: str) -> list[int]:
    """Return PostgreSQL's processes that serve a database, where they run on this machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if title.startswith("postgres:") and f" {database} " in title:
            found.append(int(folder.name))
    return found


class Meter:
    """Samples roles, each a function that returns `{role: process ids}` of the moment."""

    def __init__(self, roles: Iterable[Callable[[], dict[str, list[int]]]]) -> None:
        self.roles = list(roles)
        self.cpu: dict[tuple[str, int], float] = {}
        self.before: dict[tuple[str, int], float] = {}
        self.peak: dict[str, float] = defaultdict(float)
        self.cores: list[tuple[int, int, int]] = []  # at the start, and last
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def start(self) -> None:
        self._look()
        self.before = dict(self.cpu)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time. Safe to repeat, and before `start`."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
            self._look()

    def cpu_by_role(self) -> dict[str, float]:
        """Return the CPU seconds since `start`."""
        total: dict[str, float] = defaultdict(float)
        for key, seconds in self.cpu.items():
            total[key[0]] += seconds - self.before.get(key, 0.0)
        return {role: round(seconds, 2) for role, seconds in total.items()}

    def machine(self) -> dict[str, float]:
        """Return the number of cores, and which share of their time since `start` was idle, and was stolen."""
        total, idle, stolen = (last - first for first, last in zip(*self.cores, strict=True))
        shares = {"idle_share": idle / max(total, 1), "stolen_share": stolen / max(total, 1)}
        return {"cores": os.cpu_count() or 1} | {name: round(share, 3) for name, share in shares.items()}

    def peaks(self) -> dict[str, float]:
        """Return the peak memory, in MB, of the largest process of each role."""
        return {role: round(size, 1) for role, size in self.peak.items()}

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        self.cores = [*self.cores[:1], of_all_cores(Path("/proc/stat").read_text())]
        for role, pids in (item for find in self.roles for item in find().items()):
            for pid in pids:
                seconds, size = cpu_seconds(pid), peak_mb(pid)
                if seconds is not None:
                    self.cpu[role, pid] = seconds
                self.peak[role] = max(self.peak[role], size or 0.0)
