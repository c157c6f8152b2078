"""Users who arrive all the time: how long each waits, how many requests that takes, and whether the pace is kept."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from integrations.benchmarks import crowd, crowd_sql, result, stage
from integrations.delivery.entering import enter
from integrations.models import Arrival, AudienceSync, Batch
from pinsync.profiles.models import Profile

SETTLE_SECONDS = 60.0
CREATE_EVERY = 45.0  # seconds; creating audiences counts against the same limit


@dataclass(frozen=True)
class Traffic:
    """Users of several audiences who arrive in beats. Every audience has the same syncs, which take turns."""

    mode: str
    audiences: int
    operations: tuple[str, ...]  # one sync each; the same twice: two steps that feed one audience
    users_per_beat: int  # of all audiences together
    beat: float  # seconds
    seconds: float
    workspaces: int = 1
    creates_audiences: bool = False
    users_per_request: int = 0  # 0: the partner's limit
    latency: int = 0


@dataclass
class Stream:
    """The users who enter one sync, in the order of their ids."""

    sync: AudienceSync
    first: int
    end: int
    next: int

    def take(self, users: int) -> tuple[int, int]:
        """Return the ids from and up to which the next users lie; from the start again when all had their turn."""
        start = self.next if self.next + users <= self.end else self.first
        self.next = start + users
        return start, self.next


def measure(folder: Path, traffic: Traffic, *, workers: int) -> dict[str, Any]:
    """Let users arrive for `traffic.seconds`, then wait until all are sent."""
    variables = {"PINSYNC_USERS_PER_REQUEST": str(traffic.users_per_request)}
    settings.USERS_PER_REQUEST = traffic.users_per_request
    made = stage.build(folder, people=1, workers=workers, variables=variables)
    try:
        streams = _streams(made, traffic)
        if traffic.latency:
            made.sandbox.break_it("latency", ms=traffic.latency)
        made.start_workers()
        began = time.time()
        longest_entry, behind = _arrive(made, traffic, streams)
        settled_in = _settle()
        figures = result.figures(made, began)
        requests = Batch.objects.count()
        lanes = traffic.audiences * len(set(traffic.operations))
        ticks = math.ceil(traffic.seconds / settings.TICK_SECONDS) + 1
        return {
            "mode": traffic.mode,
            "audiences": traffic.audiences,
            "users_per_second": round(traffic.users_per_beat / traffic.beat, 1),
            "arrival_seconds": traffic.seconds,
            "latency_ms": traffic.latency,
            "workers": workers,
            "longest_entry_seconds": round(longest_entry, 3),
            "arrivals_behind_seconds": round(behind, 2),
            "settled_in_seconds": round(settled_in, 2),
            "requests_for_users": requests,
            "requests_per_audience_operation_and_tick": round(requests / (lanes * ticks), 3),
            **figures,
        }
    finally:
        made.stop()


def _streams(made: stage.Stage, traffic: Traffic) -> list[Stream]:
    accounts = []
    for number in range(traffic.workspaces):
        # Two workspaces of one partner user: their requests count together.
        accounts.append(stage.connected(made, 1, f"Brand {number + 1}"))
        crowd_sql.fill_fast(made.workspaces[-1], _people(traffic), timezone.now())
    streams = []
    for number in range(traffic.audiences):
        account = accounts[number % len(accounts)]
        syncs = stage.fed(account, f"Audience {number}", *traffic.operations)[1]
        ids = Profile.objects.filter(workspace=account.connection.workspace_id).order_by("pk")
        first = ids.values_list("pk", flat=True)[0]
        # Each sync has a stretch of its own: adds and removals of the same user would supersede each other.
        size = _people(traffic) // len(syncs)
        for place, sync in enumerate(syncs):
            streams.append(Stream(sync, first + place * size, first + (place + 1) * size, first + place * size))
    return streams


def _people(traffic: Traffic) -> int:
    return max(2_000, traffic.users_per_beat * 100)


def _arrive(made: stage.Stage, traffic: Traffic, streams: list[Stream]) -> tuple[float, float]:
    """Return the longest transaction of an entry and how far arrivals fell behind, in seconds."""
    start = time.monotonic()
    longest = behind = 0.0
    create_at = CREATE_EVERY
    beats = round(traffic.seconds / traffic.beat)
    for beat in range(beats):
        due = start + beat * traffic.beat
        time.sleep(max(due - time.monotonic(), 0))
        behind = max(behind, time.monotonic() - due)
        for stream, users in _shares(streams, traffic, beat):
            began = time.monotonic()
            low, high = stream.take(users)
            with transaction.atomic():
                enter(stream.sync, Profile.objects.filter(pk__gte=low, pk__lt=high), now=timezone.now())
            longest = max(longest, time.monotonic() - began)
        if traffic.creates_audiences and time.monotonic() - start > create_at:
            create_at += CREATE_EVERY
            crowd.audience(streams[0].sync.audience.ad_account, f"During {beat}", timezone.now())  # type: ignore[union-attr]
        made.sandbox.read_log() if beat % 600 == 599 else None
    return longest, behind


def _shares(streams: list[Stream], traffic: Traffic, beat: int) -> list[tuple[Stream, int]]:
    """Return who enters in this beat: an equal share for each audience, the syncs of an audience in turn."""
    each = len(traffic.operations)
    chosen = streams[beat % each :: each]
    share, more = divmod(traffic.users_per_beat, len(chosen))
    turns = chosen[beat % len(chosen) :] + chosen[: beat % len(chosen)]
    return [(stream, share + (place < more)) for place, stream in enumerate(turns) if share + (place < more)]


def _settle() -> float:
    start = time.monotonic()
    while Arrival.objects.exists() or Batch.objects.filter(state__in=Batch.OPEN).exists():
        if time.monotonic() - start > SETTLE_SECONDS:
            break
        time.sleep(0.2)
    return time.monotonic() - start
