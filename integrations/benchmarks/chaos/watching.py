"""The invariant, looked at all the time from a thread of its own: one statement sees one moment."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import Error, connection

from integrations.benchmarks.chaos import ticking
from integrations.benchmarks.chaos.ticking import DATABASE, Change, Gap

LOOK_EVERY = 0.2
COUNT_EVERY = 10.0

# Cheap: what the totals say is pending, against what waits and what is in open batches.
PENDING = """
SELECT (SELECT COALESCE(sum(pending), 0) FROM integrations_synctotals),
       (SELECT count(*) FROM integrations_arrival),
       (SELECT COALESCE(sum(users), 0) FROM integrations_batch WHERE state IN ('waiting', 'sending')),
       (SELECT COALESCE(sum(abs(entered - synced - not_synced - pending - errored)), 0) FROM integrations_synctotals),
       (SELECT last_at FROM integrations_tick)
"""

# Thorough: every figure of every sync, against the users themselves.
FIGURES = """
SELECT sync_id, figure, sum(counted), sum(said) FROM (
    SELECT sync_id, 'pending' AS figure, count(*) AS counted, 0 AS said FROM integrations_arrival GROUP BY sync_id
    UNION ALL
    SELECT d.sync_id, CASE WHEN d.batch_id IS NULL THEN 'not_synced' WHEN b.state = 'accepted' THEN 'synced'
        WHEN b.state = 'errored' THEN 'errored' WHEN b.state IN ('waiting', 'sending') THEN 'pending'
        ELSE 'nowhere' END, count(*), 0
    FROM integrations_delivery d LEFT JOIN integrations_batch b ON b.id = d.batch_id GROUP BY 1, 2
    UNION ALL SELECT sync_id, 'pending', 0, pending FROM integrations_synctotals
    UNION ALL SELECT sync_id, 'not_synced', 0, not_synced FROM integrations_synctotals
    UNION ALL SELECT sync_id, 'synced', 0, synced FROM integrations_synctotals
    UNION ALL SELECT sync_id, 'errored', 0, errored FROM integrations_synctotals
) AS every_figure GROUP BY sync_id, figure HAVING sum(counted) <> sum(said)
"""


def wrong_figures() -> list[str]:
    """Return a sentence for every figure that is not what counting gives."""
    with connection.cursor() as cursor:
        cursor.execute(FIGURES)
        rows = cursor.fetchall()
    return [f"sync {sync}: {figure} is {said}, counted {counted}" for sync, figure, counted, said in rows]


@dataclass
class Watch:
    """Samples until it is told to stop. A database that is away gives a blind sample, which proves nothing.

    `parents` returns the processes that tick, by the name of their worker.
    """

    parents: Callable[[], dict[str, list[int]]]
    began: float = field(default_factory=time.time)
    samples: int = 0
    counts: int = 0
    blind: int = 0
    failures: list[str] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)  # seconds since the epoch
    changes: list[Change] = field(default_factory=list)
    is_whole: bool = False  # it looked until it was told to stop
    _known: dict[str, list[int]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(30)

    def gaps(self, until: float) -> list[Gap]:
        """Return the gaps between ticks up to a moment."""
        return ticking.gaps(self.ticks, self.began, until)

    def _run(self) -> None:
        count_at = 0.0
        # Who is there at the beginning has been for long enough: the run waited for it.
        self._known = self.parents()
        self.changes += [Change(0.0, worker, bool(found)) for worker, found in self._known.items()]
        while not self._stop.wait(LOOK_EVERY):
            self._look_at_workers()
            self._guarded(self._look)
            if time.monotonic() >= count_at:
                count_at = time.monotonic() + COUNT_EVERY
                self._guarded(self._count)
        connection.close()
        self.is_whole = bool(self.samples and self.counts)

    def _guarded(self, look: Callable[[], None]) -> None:
        try:
            look()
        except Error:
            self.blind += 1
            self.changes.append(Change(time.time(), DATABASE, is_up=False))
            connection.close()

    def _look_at_workers(self) -> None:
        for worker, found in self.parents().items():
            if found != self._known.get(worker):
                self._known[worker] = found
                self.changes.append(Change(time.time(), worker, bool(found)))

    def _look(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(PENDING)
            pending, arrivals, in_batches, off, ticked = cursor.fetchone()
        self.samples += 1
        if pending != arrivals + in_batches or off:
            self._fail(f"pending is {pending}, but {arrivals} wait and {in_batches} are in open batches")
        if ticked and ticked not in self.ticks[-1:]:
            self.ticks.append(ticked)

    def _count(self) -> None:
        for sentence in wrong_figures():
            self._fail(sentence)
        self.counts += 1

    def _fail(self, sentence: str) -> None:
        if len(self.failures) < 20:
            self.failures.append(f"{time.time() - self.began:.1f} s: {sentence}")
