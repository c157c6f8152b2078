"""`manage.py worker`: django-q2's cluster, the 5-second tick in its parent process, and a supervisor over both.

Why it is built like this (all of it was measured):

- django-q2 looks at its schedules every 30 s, so the 5-second tick is ours: a compare-and-set on one row, so that any
  number of workers tick as one. A one-minute schedule calls the same function as a net.
- An idle child of the cluster that is killed -9 leaves the cluster hanging for ever: the parent watches whether tasks
  that wait are still taken, and if not ends its own process group.
- SIGTERM to the whole process group makes the cluster hang: it runs in a session of its own, and the supervisor passes
  signals to its parent process only.
- The supervisor starts a cluster that died again, and kills what has not stopped after `STOP_WITHIN` seconds; so does
  the parent, whose supervisor may be dead. The leases on batches and seats make that safe.
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from ctypes import Array, c_longlong
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FrameType

from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.models import Min
from django.utils import timezone
from django_q.cluster import Cluster
from django_q.models import OrmQ, Schedule
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.tasks import async_task

from integrations.delivery.clock import clock_sql
from integrations.models import Heartbeat, Tick

log = logging.getLogger("pinsync.worker")

STOP_WITHIN = 7.0  # seconds from a signal to the kill of what still runs
LOOK_EVERY = 0.2  # seconds between two looks at the clock
STUCK_AFTER = timedelta(seconds=6)  # a task waits so long though no child is at work
MOST_WAITING = 100  # doorbells in the queue beyond which a tick does not ring
RESTART_AFTER = 1.0  # seconds between the death of a cluster and the next one
PR_SET_PDEATHSIG = 1  # source: linux/prctl.h

_parent = 0  # process id of this process when it last forked, as its children find it

# Shared with the children of the cluster, which inherit them, and without locks: a lock could die with its holder.
_shared = multiprocessing.get_context("fork")
# Not 0 while this worker stops, so that long tasks end early.
_stopping: "Array[c_longlong]" = _shared.RawArray(c_longlong, 1)
# The process ids of the children that are at a task, each in a place of its own.
at_work: "Array[c_longlong]" = _shared.RawArray(c_longlong, 4096)


def stopping() -> bool:
    """Return whether the worker that this process belongs to has been told to stop."""
    return bool(_stopping[0])


# --- the tick --------------------------------------------------------------------------------------------------


def tick(now: datetime) -> bool:
    """Tick if it is due; return whether it was. Of all who try at once, one does."""
    Tick.objects.bulk_create([Tick(id=1)], ignore_conflicts=True)
    clock = clock_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE integrations_tick SET due_at = {clock} + %s, last_at = %s WHERE id = 1 AND due_at <= {clock}",
            [settings.TICK_SECONDS, now.timestamp()],
        )
        ours = bool(cursor.rowcount)
    if ours:
        ring_all()
    return ours


def ring_all() -> None:
    """Put one doorbell for each tick task into the queue, unless the queue is jammed already."""
    if OrmQ.objects.count() < MOST_WAITING:
        for task in settings.TICK_TASKS:
            async_task(task, save=False)


def install_net() -> None:
    """Keep the one-minute schedule that ticks when no parent process does."""
    Schedule.objects.update_or_create(
        name="tick",
        defaults={"func": "integrations.tasks.net", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1},
    )


# --- the cluster and its parent --------------------------------------------------------------------------------


@dataclass
class Parent:
    """The parent process of one cluster: ticks, writes the heartbeat, watches."""

    name: str
    supervisor: int  # process id; told, not asked for: it may be dead before we get here
    stop: bool = False
    started_at: datetime | None = None

    def run(self) -> int:
        install_net()
        self.started_at = now = timezone.now()
        Heartbeat.objects.update_or_create(name=self.name, defaults={"started_at": now, "parent_at": now})
        cluster = Cluster()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        connections.close_all()  # a socket shared with a forked child answers the wrong one
        os.register_at_fork(before=_remember_parent, after_in_child=_die_with_parent)
        cluster.start()
        beat_at = 0.0
        while not self.stop and os.getppid() == self.supervisor:
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + 1
                self._beat()
            self._guarded(lambda: tick(timezone.now()))
            time.sleep(LOOK_EVERY)
        _stopping[0] = 1
        self._end_in_time()
        cluster.stop()
        Heartbeat.objects.filter(name=self.name).delete()
        return 0

    def _end_in_time(self) -> None:
        """Kill our process group when stopping takes too long: whoever would may be dead, and a cluster can hang."""
        timer = threading.Timer(STOP_WITHIN, os.killpg, (os.getpgid(0), signal.SIGKILL))
        timer.daemon = True
        timer.start()

    def _beat(self) -> None:
        def beat() -> None:
            now = timezone.now()
            Heartbeat.objects.filter(name=self.name).update(parent_at=now)
            if self._is_stuck(now):
                log.critical("cluster takes no tasks, ending it", extra={"worker": self.name})
                os.killpg(os.getpgid(0), signal.SIGKILL)

        self._guarded(beat)

    def _is_stuck(self, now: datetime) -> bool:
        """Return whether tasks wait that nobody takes: an idle child was killed and holds the queue's lock."""
        if any(pid and _is_alive(pid) for pid in at_work):
            return False
        oldest = OrmQ.objects.aggregate(oldest=Min("lock"))["oldest"]
        # What was left in the queue before we began is no sign: the cluster has not had its chance yet.
        return oldest is not None and now - max(oldest, self.started_at or oldest) > STUCK_AFTER

    def _guarded(self, work: Callable[[], object]) -> None:
        """Run `work`; a database that is away is waited for, not died of."""
        try:
            work()
        except DatabaseError as error:
            log.warning("database away: %s", type(error).__name__)
            connections.close_all()
            time.sleep(1)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.stop = True


def _remember_parent() -> None:
    global _parent
    _parent = os.getpid()


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent dies: a child of a killed cluster would work on unwatched."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _parent:  # it died before we asked
        os._exit(1)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _begin_task(**kwargs: object) -> None:
    at_work[os.getpid() % len(at_work)] = os.getpid()


def _end_task(**kwargs: object) -> None:
    at_work[os.getpid() % len(at_work)] = 0


pre_execute.connect(_begin_task, dispatch_uid="pinsync.worker.begin")
post_execute_in_worker.connect(_end_task, dispatch_uid="pinsync.worker.end")


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


# --- the supervisor --------------------------------------------------------------------------------------------


class Supervisor:
    """Starts the cluster's parent in a session of its own, passes signals on, starts it again when it dies."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.stop = False
        self.child: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        while not self.stop:
            self.child = subprocess.Popen(self.command, start_new_session=True)  # noqa: S603  our own command
            while self.child.poll() is None and not self.stop:
                time.sleep(LOOK_EVERY)
            if self.stop:
                break
            log.error("cluster ended, starting it again", extra={"status": self.child.returncode})
            self._kill_group()
            time.sleep(RESTART_AFTER)
        return self._end()

    def _end(self) -> int:
        if self.child is None:
            return 0
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            log.warning("cluster did not stop in time, killing it")
        self._kill_group()
        return 0

    def _kill_group(self) -> None:
        """End what is left of the child's session."""
        assert self.child is not None
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.child.wait()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.stop = True


def supervise() -> int:
    """Run until a signal; return the exit status."""
    return Supervisor([sys.executable, sys.argv[0], "worker", "--cluster", str(os.getpid())]).run()
