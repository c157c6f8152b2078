"""A crowd waits for one audience, and a few users enter others: how long until the few are accepted."""

import time
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations.benchmarks import crowd_sql, result, stage
from integrations.benchmarks.processes import until
from integrations.delivery.entering import enter
from integrations.models import AudienceSync, SyncTotals
from pinsync.profiles.models import Profile

FEW = 50
OTHERS = ("add", "remove", "add")  # one audience each: removals are to be served no later
AT_ONCE = 200_000
PROMISED_SECONDS = 10.0
LONGEST_SECONDS = 60.0


def measure(folder: Path, *, users: int, latency: int, workers: int) -> dict[str, Any]:
    """Let `users` wait for one audience; while they are sent, let 50 enter each of three other ones."""
    made = stage.build(folder, people=1, workers=workers)
    try:
        account = stage.connected(made, 1, "Brand")
        crowd_sql.fill_fast(made.workspaces[-1], users, timezone.now())
        everybody = Profile.objects.filter(workspace=account.connection.workspace_id)
        first = everybody.order_by("pk").values_list("pk", flat=True)[0]
        (crowd,) = stage.fed(account, "Everybody", "add")[1]
        few = [stage.fed(account, f"Few {n}", operation)[1][0] for n, operation in enumerate(OTHERS)]
        for start in range(0, users, AT_ONCE):
            _enter(crowd, first + start, first + min(start + AT_ONCE, users))
        if latency:
            made.sandbox.break_it("latency", ms=latency)
        began = time.time()
        made.start_workers()
        until(lambda: _figures(crowd).synced > 0, LONGEST_SECONDS, "Nobody of the crowd is sent.")
        others = _others(few, crowd, first)
        slowest = max(one["seconds"] for one in others)
        return {
            "mode": "fairness",
            "users": users,
            "few": FEW,
            "latency_ms": latency,
            "workers": workers,
            "others": others,
            "slowest_seconds": slowest,
            "promised_seconds": PROMISED_SECONDS,
            "kept": slowest <= PROMISED_SECONDS and all(one["crowd_pending"] > 0 for one in others),
            **result.figures(made, began),
        }
    finally:
        made.stop()


def _others(few: list[AudienceSync], crowd: AudienceSync, first: int) -> list[dict[str, Any]]:
    """Return how long the few of each audience took, and how many of the crowd still waited then."""
    start = time.monotonic()
    for sync in few:
        _enter(sync, first, first + FEW)
    ended: dict[int, dict[str, Any]] = {}

    def all_ended() -> bool:
        for sync in few:
            if sync.pk not in ended and _figures(sync).synced == FEW:
                seconds = round(time.monotonic() - start, 2)
                pending = _figures(crowd).pending
                ended[sync.pk] = {"operation": sync.operation, "seconds": seconds, "crowd_pending": pending}
        return len(ended) == len(few)

    until(all_ended, LONGEST_SECONDS, "The few are not sent.")
    return [ended[sync.pk] for sync in few]


def _enter(sync: AudienceSync, low: int, high: int) -> None:
    with transaction.atomic():
        enter(sync, Profile.objects.filter(pk__gte=low, pk__lt=high), now=timezone.now())


def _figures(sync: AudienceSync) -> SyncTotals:
    return SyncTotals.objects.get(pk=sync.pk)
