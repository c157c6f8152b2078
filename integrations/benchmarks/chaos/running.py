"""One run of chaos: users enter and things break as planned, then everything is mended, awaited and checked."""

import logging
import os
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from django.db import Error, connection, transaction
from django.db.models import Count, Max
from django.utils import timezone

from integrations.benchmarks import pace
from integrations.benchmarks.chaos import checking, judging, plan, scene, ticking
from integrations.benchmarks.chaos.breaking import Breaker
from integrations.benchmarks.chaos.model import Asked, Model
from integrations.benchmarks.chaos.plan import Breakage, Entry, Plan
from integrations.benchmarks.chaos.scene import Place
from integrations.benchmarks.chaos.ticking import Gap
from integrations.benchmarks.chaos.watching import Watch
from integrations.benchmarks.ground import MARK
from integrations.benchmarks.processes import describe, kill, marked
from integrations.delivery.entering import enter
from integrations.models import Arrival, Attempt, AudienceSync, Batch, Delivery
from pinsync.profiles.models import Profile
from pinsync.workspaces import audit
from pinsync.workspaces.models import AuditEvent

log = logging.getLogger("pinsync.chaos")

READ_LOG_EVERY = 2.0
LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Asking:
    """What a run is to be like."""

    seed: int
    seconds: float
    workers: int
    audiences: int
    rate: float  # users a second
    users_per_request: int
    settle_seconds: float
    hurry: bool


class Stopped(Exception):
    """Whoever started us is gone."""


class Run:
    def __init__(self, asking: Asking, folder: Path, database: str) -> None:
        self.asking, self.database = asking, database
        self.plan: Plan = plan.draw(
            asking.seed, seconds=asking.seconds, audiences=asking.audiences, rate=asking.rate, database=database
        )
        self.model = Model()
        self.caller = os.getppid()
        self.scene = scene.make(
            folder, workers=asking.workers, audiences=asking.audiences, users_per_request=asking.users_per_request
        )
        self.breaker = Breaker(self.scene, Random(asking.seed))
        self.began = self.began_at = 0.0  # the moment, by both clocks
        self.to_break: list[Breakage] = []
        self.watch = Watch(self.scene.parents)
        self.ticks_until = 0.0  # from then on a run in a hurry stops all workers itself
        self.read_log_at = 0.0
        self.left_behind: list[str] = []  # what the workers left running when they were stopped
        self.last_moment = timezone.now()
        self.retried_entries = 0
        self.calls = self.retried_calls = 0
        self.settled_in = 0.0
        self.settled = False

    def run(self) -> dict[str, Any]:
        """Return the result; what was started is stopped by then."""
        started = time.monotonic()
        try:
            self.watch.start()
            self._happen()
            self._settle()
            self.watch.stop()
            self.scene.sandbox.read_log()
            failures = checking.check(self.scene, self.model)
            for sentence in self.watch.failures:
                failures.add("the invariant did not hold", sentence)
            if not self.watch.is_whole:
                failures.add("nobody looked at the invariant until the end")
            for sentence in self._long_gaps():
                failures.add("the tick did not go on", sentence)
            for sentence in judging.too_fast(self._pace()):
                failures.add("more requests than the partner allows", sentence)
            if judging.is_long_enough(self.asking.seconds):
                for kind in self._never_hit():
                    failures.add("a kind of breakage was never hit", kind)
            if not self.settled:
                failures.add("not settled in time", f"{self.asking.settle_seconds:.0f} s")
            return self._result(failures.sentences(), time.monotonic() - started)
        finally:
            self.watch.stop()
            self.scene.stop()

    def _happen(self) -> None:
        """Let everything of the plan happen at its moment."""
        self.began, self.began_at = time.monotonic(), time.time()
        self.to_break = list(self.plan.breakages)
        entries = list(self.plan.entries)
        while entries or self.to_break or time.monotonic() - self.began < self.asking.seconds:
            if entries and entries[0].at <= time.monotonic() - self.began:
                self._enter(entries.pop(0))
            self._go_on()

    def _settle(self) -> None:
        """Mend everything and wait until nothing is pending."""
        start = time.monotonic()
        self.breaker.mend_everything()
        if self.asking.hurry:
            self.ticks_until = time.time()
            self._hurry()
        while time.monotonic() - start < self.asking.settle_seconds and not self.settled:
            self._go_on()
            try:
                waits = Arrival.objects.exists() or Batch.objects.filter(state__in=Batch.OPEN).exists()
                self.settled = not waits
            except Error:
                connection.close()
            time.sleep(0.2)
        self.settled_in = time.monotonic() - start
        self.ticks_until = self.ticks_until or time.time()

    def _hurry(self) -> None:
        """Stop all workers, let every waiting time and lease be over (nobody is left who holds one), start again."""
        for worker in self.scene.workers:
            worker.stop()
        known = {os.getpid(), *self.scene.sandbox.family(), *self.scene.web.family()}
        for pid in set(marked(f"{MARK}={self.scene.folder}")) - known:
            self.left_behind.append(describe(pid))
            kill(pid)
        self._go_on()
        done = False
        while not done:
            try:
                now = timezone.now()
                Batch.objects.filter(state=Batch.State.WAITING).update(next_attempt_at=now)
                Batch.objects.filter(state=Batch.State.SENDING).update(lease_until=now - timedelta(seconds=1))
                done = True
            except Error:
                connection.close()
                self._go_on()
        for worker in self.scene.workers:
            worker.start()

    def _go_on(self) -> None:
        """Break and repair what is due; wait a moment. Called wherever the run waits for something."""
        if os.getppid() != self.caller:
            raise Stopped
        if self.to_break and self.to_break[0].at <= time.monotonic() - self.began:
            breakage = self.to_break.pop(0)
            log.info("%.1f s: %s", breakage.at, breakage.what)
            self.breaker.break_it(breakage)
        self.breaker.repair()
        if time.monotonic() >= self.read_log_at:
            self.read_log_at = time.monotonic() + READ_LOG_EVERY
            self.scene.sandbox.read_log()
        time.sleep(LOOK_EVERY)

    # --- users -----------------------------------------------------------------------------------------------

    def _enter(self, entry: Entry) -> None:
        """Let users enter, and find out whether they did when something was killed under it."""
        place = self.scene.places[entry.audience]
        first = place.profiles.start + int(entry.start * len(place.profiles))
        profiles = range(first, min(first + entry.users * entry.step, place.profiles.stop), entry.step)
        sync = place.syncs[entry.operation][entry.sync]
        by_rest = sync.pk in self.scene.door.canvases
        moment = self._by_rest(place, sync, profiles) if by_rest else self._directly(place, sync, profiles)
        self.last_moment = max(moment, self.last_moment)
        number = len(self.model.of[place.audience.pk])
        self.model.note(Asked(number, place.audience.pk, sync.pk, entry.operation, moment, profiles))

    def _directly(self, place: Place, sync: AudienceSync, profiles: range) -> datetime:
        """Let users enter a sync as a worker would; return the moment at which they did."""
        moment = max(timezone.now(), self.last_moment + timedelta(microseconds=1))
        while True:
            try:
                with transaction.atomic():
                    audit.record(place.workspace, None, "chaos.entered", moment.isoformat(), now=moment)
                    enter(sync, Profile.objects.filter(pk__in=list(profiles)), now=moment)
                return moment
            except Error as error:
                log.warning("entry failed: %s", type(error).__name__)
                self.retried_entries += 1
                if self._has_entered(moment.isoformat()):
                    return moment

    def _by_rest(self, place: Place, sync: AudienceSync, profiles: range) -> datetime:
        """Let users enter by a call, again with the same key until it is answered; return when they entered."""
        ids = [f"user-{pk - place.profiles.start}" for pk in profiles]
        self.calls += 1
        while not self.scene.door.knock(sync, ids, f"call {self.calls}"):
            self.retried_calls += 1
            self._go_on()
        while True:  # the web process set the moment: the last one at which any of them came to this sync
            try:
                kinds = (Arrival, Delivery)
                found = [
                    of.objects.filter(sync=sync, profile=profiles[0]).aggregate(last=Max("entered_at")) for of in kinds
                ]
                moments: list[datetime] = [each["last"] for each in found if each["last"]]
                return max(moments)
            except Error:
                connection.close()
                self._go_on()

    def _has_entered(self, mark: str) -> bool:
        """Return whether the transaction with this mark was committed, as soon as the database is back."""
        while True:
            connection.close()
            try:
                return AuditEvent.objects.filter(action="chaos.entered", target=mark).exists()
            except Error:
                self._go_on()

    # --- result ----------------------------------------------------------------------------------------------

    def _result(self, failures: list[str], seconds: float) -> dict[str, Any]:
        states = dict(Batch.objects.values_list("state").annotate(number=Count("pk")))
        outcomes = dict(Attempt.objects.values_list("outcome").annotate(number=Count("pk")))
        ends = Counter(dict(Delivery.objects.values_list("reason").annotate(number=Count("pk"))))
        gaps = sorted(self.watch.gaps(self.ticks_until), key=lambda gap: -gap.seconds)[:5]
        return {
            "ok": not failures,
            "failures": failures,
            "database": self.database,
            "seed": self.asking.seed,
            "minutes": round(self.asking.seconds / 60, 2),
            "seconds": round(seconds, 1),
            "settled_in_seconds": round(self.settled_in, 1),
            "workers": self.asking.workers,
            "audiences": self.asking.audiences,
            "users_per_request": self.asking.users_per_request,
            "entries": len(self.model.at),
            "users_entered": self.model.users,
            "users_sent": ends[""],
            "users_not_sent": {reason: number for reason, number in ends.items() if reason},
            "entries_tried_again": self.retried_entries,
            "calls": self.calls,
            "calls_tried_again": self.retried_calls,
            "batches": states,
            "attempts": outcomes,
            "broken": dict(self.breaker.done),
            "could_not_be_broken": dict(self.breaker.missed),
            "never_broken": self._never_hit(),
            "left_behind_by_workers": self.left_behind,
            "reconnected": self.breaker.reconnected,
            "samples": {"looks": self.watch.samples, "counts": self.watch.counts, "blind": self.watch.blind},
            "longest_gaps_between_ticks": [
                {
                    "at": round(gap.ended - self.began_at, 1),
                    "seconds": round(gap.seconds, 1),
                    "allowed": round(ticking.allowed(gap, self.watch.changes), 1),
                    "broken_before": self._broken_before(gap),
                }
                for gap in gaps
            ],
            "pace": self._pace(),
        }

    def _pace(self) -> dict[str, dict[str, Any]]:
        return pace.kept(self.scene.sandbox.seen, self.began_at)

    def _never_hit(self) -> list[str]:
        return judging.never_hit(plan.kinds(self.database), self.breaker.done)

    def _long_gaps(self) -> list[str]:
        """Return a sentence for every gap between ticks that was longer than it may be."""
        found = [(gap, ticking.allowed(gap, self.watch.changes)) for gap in self.watch.gaps(self.ticks_until)]
        return [
            f"{gap.ended - self.began_at:.1f} s: {gap.seconds:.1f} s without a tick, {most:.1f} s allowed"
            for gap, most in found
            if gap.seconds > most
        ]

    def _broken_before(self, gap: Gap) -> list[str]:
        """Return what was broken in a gap between ticks, or shortly before."""
        return [
            f"{moment - self.began_at:.1f} {what}"
            for moment, what in self.breaker.happened
            if gap.began - 1 <= moment <= gap.ended
        ]
