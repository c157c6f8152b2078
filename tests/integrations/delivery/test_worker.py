"""`manage.py worker`, started for real: it ticks, delivers, survives what is killed and stops when told."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from integrations.delivery.worker import STOP_WITHIN
from integrations.models import Batch, Heartbeat, Tick
from tests.helpers import break_it, figures, let_in, mend, people, records_at, records_of, sync_to
from tests.workers import Worker, is_alive, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timed,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]

WHILE_ANOTHER_LIVES, FROM_A_RESTART = 10, 20  # seconds between two ticks at most, whatever was killed
AT_MOST_A_TICK = 5 + 3  # seconds: the tick, and what a loaded machine adds to a request


@pytest.fixture
def start(sandbox, tmp_path, transactional_db) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(**variables: str) -> Worker:
        worker = Worker(tmp_path / f"worker-{len(started)}.log", **variables)
        started.append(worker)
        until(worker.is_up, 20)
        return worker

    yield start
    for worker in started:
        worker.kill_what_is_left()


def longest_gap(what: Callable[[], object], seconds: float) -> float:
    """Wait until `what()` is true and two ticks came; return the longest time from now on without a tick."""
    seen = [time.time()]

    def is_done() -> bool:
        last = Tick.objects.values_list("last_at", flat=True).first()
        if last is not None and last > seen[-1]:
            seen.append(last)
        return len(seen) > 2 and bool(what())

    until(is_done, seconds)
    return max(after - before for before, after in itertools.pairwise(seen))


def test_users_are_sent_within_a_tick(start, workspace, audience, sandbox):
    start()
    sync, chosen = sync_to(audience), people(workspace, 50)
    let_in(sync, chosen)
    until(lambda: figures(sync)["synced"] == 50, AT_MOST_A_TICK)
    assert records_at(sandbox.world, audience) == records_of(chosen)


def test_two_workers_tick_as_one(start):
    start()
    start()
    seen: list[float] = []
    end = time.monotonic() + 12
    while time.monotonic() < end:
        last = Tick.objects.values_list("last_at", flat=True).get()
        if not seen or seen[-1] != last:
            seen.append(last)
        time.sleep(0.02)
    gaps = [after - before for before, after in itertools.pairwise(seen)]
    assert len(gaps) >= 2
    assert all(4.9 < gap < 6 for gap in gaps), gaps


def test_killed_idle_children_do_not_stop_delivery(start, workspace, audience):
    worker = start()
    sync = sync_to(audience)
    for child in worker.cluster[1:]:  # one of them holds the queue's lock while it waits: the cluster hangs for ever
        os.kill(child, signal.SIGKILL)
    let_in(sync, people(workspace, 5))
    assert longest_gap(lambda: figures(sync)["synced"] == 5, 45) <= FROM_A_RESTART


def test_a_killed_parent_is_started_again(start, workspace, audience):
    worker = start()
    sync, killed = sync_to(audience), worker.parent
    os.kill(killed, signal.SIGKILL)
    let_in(sync, people(workspace, 5))
    assert longest_gap(lambda: figures(sync)["synced"] == 5, 30) <= FROM_A_RESTART
    assert worker.parent not in (None, killed)


def test_whatever_is_killed_another_worker_ticks_and_delivers_on(start, workspace, audience, sandbox):
    start()
    hanging, dead = start(), start()
    sync, chosen = sync_to(audience), people(workspace, 20)
    break_it(sandbox, "latency", ms=1500)
    let_in(sync, chosen)
    until(lambda: Batch.objects.filter(state=Batch.State.SENDING).exists(), AT_MOST_A_TICK)
    for child in hanging.cluster[1:]:
        os.kill(child, signal.SIGKILL)
    os.killpg(dead.parent, signal.SIGKILL)
    os.kill(dead.supervisor, signal.SIGKILL)
    mend(sandbox)
    Batch.objects.filter(state=Batch.State.SENDING).update(lease_until="2026-01-01T00:00Z")  # a minute passes
    assert longest_gap(lambda: figures(sync)["synced"] == 20, 30) <= WHILE_ANOTHER_LIVES
    assert records_at(sandbox.world, audience) == records_of(chosen)


def test_a_batch_of_a_killed_sender_is_sent_again(start, workspace, audience, sandbox):
    worker = start()
    sync, chosen = sync_to(audience), people(workspace, 5)
    break_it(sandbox, "latency", ms=4000)
    let_in(sync, chosen)
    until(lambda: Batch.objects.filter(state=Batch.State.SENDING).exists(), AT_MOST_A_TICK)
    os.killpg(worker.parent, signal.SIGKILL)
    mend(sandbox)
    Batch.objects.filter(state=Batch.State.SENDING).update(lease_until="2026-01-01T00:00Z")  # a minute passes
    until(lambda: figures(sync)["synced"] == 5, 30)
    assert figures(sync) == {"entered": 5, "synced": 5, "not_synced": 0, "pending": 0, "errored": 0}
    assert records_at(sandbox.world, audience) == records_of(chosen)


@pytest.mark.parametrize(("signum", "group"), [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)])
def test_it_stops_when_told_and_leaves_nothing(start, signum, group):
    worker = start()
    until(lambda: Heartbeat.objects.exists(), 10)
    assert worker.stop(signum, group=group) < 10
    assert worker.process.returncode == 0
    assert not Heartbeat.objects.exists()


def test_a_killed_supervisor_takes_its_cluster_along(start):
    worker = start()
    known = worker.everything()
    worker.stop(signal.SIGKILL)
    assert not any(is_alive(pid) for pid in known)


def test_a_killed_supervisor_takes_a_cluster_along_that_hangs(start):
    worker = start()
    killed = worker.cluster[1:]
    for child in killed:
        os.kill(child, signal.SIGKILL)
    until(lambda: worker.is_up() and not {*killed} & {*worker.cluster}, 5)  # the new ones wait for a dead one's lock
    known = worker.everything()
    os.kill(worker.supervisor, signal.SIGKILL)
    until(lambda: not any(is_alive(pid) for pid in known), STOP_WITHIN + 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_supervisor_and_parent_killed_together_leave_no_child_at_work(start):
    worker = start()
    known, parent = worker.everything(), worker.parent
    os.kill(worker.supervisor, signal.SIGKILL)
    os.kill(parent, signal.SIGKILL)
    until(lambda: not any(is_alive(pid) for pid in known), 5)


def test_doorbells_left_from_before_are_no_sign_of_a_hang(start, workspace, audience):
    for _ in range(30):
        async_task("integrations.tasks.tick", save=False)
    OrmQ.objects.update(lock=timezone.now() - timedelta(minutes=10))
    worker = start()
    parent, sync = worker.parent, sync_to(audience)
    let_in(sync, people(workspace, 5))
    until(lambda: figures(sync)["synced"] == 5, AT_MOST_A_TICK)
    assert worker.parent == parent


def test_a_cluster_whose_supervisor_is_dead_already_ends_at_once(transactional_db, sandbox, tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    orphan = Worker(tmp_path / "worker.log", "--cluster", str(dead.pid))
    assert orphan.process.wait(20) == 0
    assert not any(is_alive(pid) for pid in orphan.everything())
