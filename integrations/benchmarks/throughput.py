"""Many users at once: how near to the partner's ceiling, for one partner user or several."""

import time
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from integrations.benchmarks import crowd_sql, result, stage
from integrations.benchmarks.processes import NotReady
from integrations.delivery.entering import enter
from integrations.models import SyncTotals
from pinsync.profiles.models import Profile

ENTER_AT_ONCE = 200_000
SLOWEST = 2_000  # users a second of one partner user: whoever is slower than that is not waited for


def measure(
    folder: Path, *, users: int, people: int, latency: int, workers: int, entering: bool = False
) -> dict[str, Any]:
    """Let `users` enter for each of `people` partner users, all at once, and wait until all are accepted.

    They wait when the workers start; with `entering` they enter then, on the same machine, as fast as they can.
    """
    made = stage.build(folder, people=people, workers=workers)
    try:
        syncs = []
        for person in range(1, people + 1):
            account = stage.connected(made, person, f"Brand {person}")
            crowd_sql.fill_fast(made.workspaces[-1], users, timezone.now())
            syncs += stage.fed(account, "Everybody", "add")[1]
        if latency:
            made.sandbox.break_it("latency", ms=latency)
        if entering:
            made.start_workers()
        began, start = time.time(), time.monotonic()
        for first in range(0, users, ENTER_AT_ONCE):
            for sync in syncs:
                of_brand = Profile.objects.filter(workspace=sync.workspace_id)
                lowest = of_brand.order_by("pk").values_list("pk", flat=True)[0]
                with transaction.atomic():
                    some = of_brand.filter(pk__gte=lowest + first, pk__lt=lowest + min(first + ENTER_AT_ONCE, users))
                    enter(sync, some, now=timezone.now())
        entered_in = time.monotonic() - start
        if not entering:
            made.start_workers()
            start = time.monotonic()
        _wait(users / SLOWEST + 60)
        seconds = time.monotonic() - start
        of_each = result.by_partner_user()
        return {
            "mode": "throughput",
            "users": users,
            "pinterest_users": people,
            "latency_ms": latency,
            "workers": workers,
            "entering": entering,
            "entered_in_seconds": round(entered_in, 2),
            "seconds": round(seconds, 2),
            "users_per_second": round(users * people / seconds),
            "users_per_second_while_sending": sum(of["users_per_second"] for of in of_each.values()),
            "lowest_share_of_ceiling": min(of["share_of_ceiling"] for of in of_each.values()),
            "each_pinterest_user": of_each,
            **result.figures(made, began),
        }
    finally:
        made.stop()


def _wait(seconds: float) -> None:
    """Wait until nothing is pending; looks rarely, and at few rows, so as not to be measured itself."""
    deadline = time.monotonic() + seconds
    while SyncTotals.objects.filter(pending__gt=0).exists():
        if time.monotonic() > deadline:
            raise NotReady(f"Not everybody was sent within {seconds:.0f} s.")
        connection.close()
        time.sleep(0.5)
