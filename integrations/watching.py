"""What this app hands to /readyz and /metrics (pinsync/health.py, pinsync/metrics.py)."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db.models import Count

from integrations import running
from integrations.delivery import correcting
from integrations.delivery.worker import MOST_WAITING
from integrations.models import Connection
from pinsync.health import Finding
from pinsync.metrics import Gauge, Sample

TICKS_MISSED = 6  # then somebody should look: no worker lives, or none reaches the database
LONG_PENDING = 3600.0  # seconds; longer than a partner's short outage, far shorter than the 13 hours
LONG_QUEUED = 60.0


def tick(now: datetime) -> Finding:
    age = running.tick_age(now)
    well = age is not None and age <= TICKS_MISSED * settings.TICK_SECONDS
    return Finding(well, {"age_seconds": _rounded(age), "workers": len(running.workers(now))})


def oldest_pending(now: datetime) -> Finding:
    age = running.oldest_pending(now)
    return Finding(age is None or age <= LONG_PENDING, {"age_seconds": _rounded(age)})


def queue(now: datetime) -> Finding:
    found = running.queue(now)
    well = found.waiting < MOST_WAITING and (found.oldest_seconds or 0.0) <= LONG_QUEUED
    return Finding(well, {"waiting": found.waiting, "oldest_seconds": _rounded(found.oldest_seconds)})


def gauges(now: datetime) -> Iterator[Gauge]:
    """Yield all figures of delivery. Labels are codes and the partner's own ids of its users."""
    yield _one("pinsync_tick_age_seconds", "Seconds since the last tick of the workers.", running.tick_age(now))
    yield _one("pinsync_workers_alive", "Workers that wrote their heartbeat just now.", len(running.workers(now)))
    found = running.queue(now)
    yield _one("pinsync_queue_tasks", "Tasks that no worker has taken yet.", found.waiting)
    yield _one("pinsync_queue_oldest_seconds", "Seconds that the oldest of them waits.", found.oldest_seconds or 0.0)
    yield _by("pinsync_users", "Users by the state of their sync.", "state", running.users_by_state())
    yield _by(
        "pinsync_batches",
        f"Open batches by state, and errored ones up to {running.MOST_COUNTED}.",
        "state",
        running.batches_by_state(),
    )
    yield _one("pinsync_corrections", "Records of users whose data changed that wait.", correcting.waiting())
    yield _one(
        "pinsync_oldest_pending_seconds",
        "Seconds since the user entered who has waited longest; 0 when nobody waits.",
        running.oldest_pending(now) or 0.0,
    )
    yield _by("pinsync_users_errored", "Errored users by reason.", "reason", running.errored_by_reason())
    yield from _of_partner_users(now)
    states = Counter(dict.fromkeys(Connection.State.values, 0))
    states.update(dict(Connection.objects.order_by().values_list("state").annotate(number=Count("pk"))))
    yield _by("pinsync_connections", "Connections by state.", "state", states)
    paused = Connection.objects.filter(paused_at__isnull=False).count()
    yield _one("pinsync_connections_paused", "Connections that staff paused.", paused)


def _of_partner_users(now: datetime) -> Iterator[Gauge]:
    labelled = [
        ({"partner": one.pace.partner, "partner_user": one.pace.partner_user_id}, one) for one in running.paces(now)
    ]
    columns = (
        ("requests_last_minute", "Write requests of the last 60 s.", "requests"),
        ("rate_limited_last_minute", "Those of them that were answered 429.", "rate_limited"),
        ("next_slot_seconds", "Seconds until the next request may start.", "next_slot_in"),
        ("blocked_seconds", "Seconds for which the partner asked for no requests.", "blocked_for"),
        ("users_pending", "Users that wait for this partner user.", "pending"),
        ("drain_seconds", "Seconds until they are sent, at the present pace.", "drain_seconds"),
    )
    for name, meaning, attribute in columns:
        samples = [Sample(getattr(one, attribute), labels) for labels, one in labelled]
        yield Gauge(f"pinsync_partner_user_{name}", meaning, samples)
    yield Gauge(
        "pinsync_partner_user_slowdown",
        "1 at full pace; what a 429 taught.",
        [Sample(one.pace.slowdown, labels) for labels, one in labelled],
    )


def _one(name: str, meaning: str, value: float | int | None) -> Gauge:
    return Gauge(name, meaning, [] if value is None else [Sample(value)])


def _by(name: str, meaning: str, label: str, values: dict[str, int]) -> Gauge:
    return Gauge(name, meaning, [Sample(value, {label: str(key)}) for key, value in values.items()])


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
