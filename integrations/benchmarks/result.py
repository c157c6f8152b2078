"""The figures of a measurement, read from the deliveries, the sandbox's log and the meter."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Min, Sum

from integrations import registry
from integrations.benchmarks import crowd, pace
from integrations.benchmarks.stage import Stage
from integrations.delivery.limits import limits_of
from integrations.models import Attempt, Batch, SyncTotals

WAITS = """
SELECT d.operation, d.entered_at, b.settled_at, count(*) FROM integrations_delivery d
JOIN integrations_batch b ON b.id = d.batch_id WHERE b.state = 'accepted' GROUP BY 1, 2, 3
"""


def waits() -> dict[str, list[tuple[float, int]]]:
    """Return (seconds from entry to accepted, users) by operation, shortest first."""
    found: dict[str, list[tuple[float, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(WAITS)
        for operation, entered, settled, users in cursor.fetchall():
            found.setdefault(operation, []).append(((_moment(settled) - _moment(entered)).total_seconds(), users))
    return {operation: sorted(of_one) for operation, of_one in found.items()}


def percentiles(of: Iterable[tuple[float, int]]) -> dict[str, float]:
    """Return p50, p95, p99 and the longest of weighted, sorted values."""
    listed = list(of)
    total = sum(users for _, users in listed)
    if not total:
        return {}
    found: dict[str, float] = {}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        passed = 0
        for seconds, users in listed:
            passed += users
            if passed >= share * total:
                found[name] = round(seconds, 3)
                break
    return found | {"longest": round(listed[-1][0], 3)}


def by_partner_user() -> dict[str, dict[str, Any]]:
    """Return users, seconds from the first request to the last acceptance, and the share of the ceiling."""
    limit = limits_of(crowd.PARTNER)
    ceiling = limit.users / registry.partner(crowd.PARTNER).seconds_between_writes
    found = {}
    accepted = Batch.objects.filter(state=Batch.State.ACCEPTED)
    owner = "audience__ad_account__connection__partner_user_id"
    for user in sorted(set(accepted.values_list(owner, flat=True))):
        of_user = accepted.filter(**{owner: user})
        users = of_user.aggregate(users=Sum("users"))["users"]
        first = Attempt.objects.filter(batch__in=of_user.values("pk")).aggregate(first=Min("started_at"))["first"]
        last = of_user.order_by("-settled_at").values_list("settled_at", flat=True).first()
        assert first is not None
        assert last is not None
        seconds = max((last - first).total_seconds(), 0.001)
        found[user] = {
            "users": users,
            "seconds": round(seconds, 2),
            "users_per_second": round(users / seconds),
            "share_of_ceiling": round(users / seconds / ceiling, 4),
            "batches": of_user.count(),
            "mean_batch_fill": round(users / of_user.count() / limit.users, 4),
        }
    return found


def starts_to_arrivals(log: list[dict[str, Any]]) -> dict[str, float]:
    """Return percentiles of the seconds between our start of a request and its arrival at the sandbox.

    What varies here is what the pace must have room for. Empty where the two lists do not belong together.
    """
    starts = sorted(Attempt.objects.filter(batch__isnull=False).values_list("started_at", flat=True))
    arrivals = sorted(line["time"] for line in log if line["method"] == "PATCH")
    if len(starts) != len(arrivals):
        return {}
    pairs = zip(starts, arrivals, strict=True)
    return percentiles(sorted((arrival - start.timestamp(), 1) for start, arrival in pairs))


def figures(stage: Stage, began: float) -> dict[str, Any]:
    """Return what every mode reports. The workers are still there; they are read once more."""
    stage.sandbox.read_log()
    stage.meter.stop()
    totals = SyncTotals.objects.aggregate(
        entered=Sum("entered"), synced=Sum("synced"), pending=Sum("pending"), errored=Sum("errored")
    )
    accepted = totals["synced"] or 0
    cpu = stage.meter.cpu_by_role()
    both = waits()
    return {
        "database": connection.vendor,
        **{name: number or 0 for name, number in totals.items()},
        "entry_to_accepted_seconds": percentiles(sorted(pair for listed in both.values() for pair in listed)),
        **{f"entry_to_accepted_seconds_{operation}": percentiles(listed) for operation, listed in both.items()},
        "machine": stage.meter.machine(),
        "cpu_seconds": cpu,
        "cpu_seconds_per_million_users": {
            role: round(seconds * 1_000_000 / accepted, 1) for role, seconds in cpu.items() if accepted
        },
        "peak_mb": stage.meter.peaks(),
        "start_to_arrival_seconds": starts_to_arrivals(stage.sandbox.seen),
        "pace": pace.kept(stage.sandbox.seen, began),
    }


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
