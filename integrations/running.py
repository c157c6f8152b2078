"""How delivery runs now: what /readyz, /metrics and the staff page tell.

Nothing here counts a large table. Users come from the figures of the syncs, batches from indexes over the few that are
open, the oldest from the first row of every lane, requests from the index by time; each costs the same after a year.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q, Sum
from django_q.models import OrmQ

from integrations import registry
from integrations.backlog import oldest_by_connection, pending_by_connection
from integrations.contract import Quota
from integrations.delivery import forecast, rationing
from integrations.delivery.clock import read_clock
from integrations.literal import Literal
from integrations.models import (
    Attempt,
    Batch,
    Connection,
    Heartbeat,
    Pace,
    SyncReason,
    SyncTotals,
    Tick,
)
from integrations.reasons import ERRORS, Reason, reason

ALIVE_WITHIN = timedelta(seconds=10)  # a worker writes its heartbeat every second
LAST_MINUTE = timedelta(minutes=1)
RECENT = timedelta(minutes=10)
MOST_COUNTED = 10_000  # of what has no figure of its own: errored batches, doorbells
PENDING_STATES = ("synced", "not_synced", "pending", "errored")


@dataclass(frozen=True)
class Queue:
    """Doorbells that no worker has taken yet; more than `MOST_COUNTED` are not counted."""

    waiting: int
    oldest_seconds: float | None


@dataclass(frozen=True)
class PaceNow:
    """One partner user: when the next request may start, what they used, and what waits for them."""

    pace: Pace
    next_slot_in: float  # seconds
    blocked_for: float  # seconds; a 429 said so
    requests: int  # of the last minute: those that write
    rate_limited: int  # of those
    pending: int
    drain_seconds: float  # at the present pace, with full batches; other limits and new users come on top

    @property
    def partner(self) -> str:
        return registry.name_of(self.pace.partner)


@dataclass(frozen=True)
class AppNow:
    """Our app at a partner that has a quota of it: everybody's requests together."""

    partner: str  # its name
    quota: Quota
    seconds_between_writes: float
    next_slot_in: float  # seconds
    requests: int  # that wait, of all workspaces
    last_in: float | None  # seconds until the last of them is sent
    reads_left: int  # that people may still make; they come back as the window moves on


@dataclass(frozen=True)
class ConnectionNow:
    connection: Connection
    pending: int
    oldest_seconds: float | None
    open_batches: int
    drain_seconds: float | None  # of all that its partner user has to send; None while nothing may be sent


@dataclass(frozen=True)
class Trouble:
    """Requests of the last ten minutes that were not accepted."""

    connection_id: int
    reason: Reason
    requests: int
    last_at: datetime


def workers(now: datetime) -> list[Heartbeat]:
    """Return the workers that are alive."""
    return list(Heartbeat.objects.filter(parent_at__gte=now - ALIVE_WITHIN).order_by("name"))


def tick_age(now: datetime) -> float | None:
    """Return the seconds since the last tick; None before the first."""
    last = Tick.objects.filter(pk=1).values_list("last_at", flat=True).first()
    return max(now.timestamp() - last, 0.0) if last else None


def queue(now: datetime) -> Queue:
    """Return what waits; a doorbell that a worker has taken is locked into the future."""
    waiting = OrmQ.objects.filter(lock__lte=now)
    oldest = waiting.aggregate(oldest=Min("lock"))["oldest"]
    return Queue(
        len(waiting.values_list("pk", flat=True)[:MOST_COUNTED]),
        None if oldest is None else (now - oldest).total_seconds(),
    )


def users_by_state() -> dict[str, int]:
    """Return how many users are in each of the four states."""
    found = SyncTotals.objects.aggregate(**{state: Sum(state) for state in PENDING_STATES})
    return {state: found[state] or 0 for state in PENDING_STATES}


def batches_by_state() -> dict[str, int]:
    """Return the open batches by state, and the errored ones, which Retry empties, up to `MOST_COUNTED`."""
    counts: dict[str, int] = dict.fromkeys((str(state) for state in Batch.OPEN), 0)
    open_ = Batch.objects.filter(settled_at=None, state__in=Batch.OPEN).order_by()
    counts |= dict(open_.values_list("state").annotate(number=Count("pk")))
    errored = Batch.objects.filter(state=Literal(Batch.State.ERRORED)).order_by().values_list("reason")[:MOST_COUNTED]
    counts[Batch.State.ERRORED.value] = len(errored)
    return counts


def oldest_pending(now: datetime) -> float | None:
    """Return for how many seconds the user who has waited longest has; None when nobody waits."""
    return _seconds_since(min(oldest_by_connection().values(), default=None), now)


def paces(now: datetime) -> list[PaceNow]:
    """Return every partner user of whom something was ever asked."""
    used = requests_by_user(now)
    pending = pending_by_connection()
    waiting: Counter[tuple[str, str]] = Counter()
    for one in Connection.objects.filter(pk__in=pending).only("partner", "partner_user_id"):
        waiting[one.partner, one.partner_user_id] += pending[one.pk]
    clock = read_clock()
    found = []
    known = [partner.slug for partner in registry.partners()]
    of_app = {slug: rationing.next_slot_in(slug) for slug in rationing.rationed()}
    for pace in Pace.objects.filter(partner__in=known).order_by("partner", "partner_user_id"):
        person = (pace.partner, pace.partner_user_id)
        outcomes = used.get(person, Counter())
        next_slot_in = max(pace.next_slot - clock, pace.blocked_until - clock, of_app.get(pace.partner, 0.0))
        found.append(
            PaceNow(
                pace=pace,
                next_slot_in=next_slot_in,
                blocked_for=max(pace.blocked_until - clock, 0.0),
                requests=sum(outcomes.values()),
                rate_limited=outcomes["rate_limited"],
                pending=waiting[person],
                drain_seconds=forecast.seconds_until_sent(
                    pace.partner,
                    forecast.requests_for(pace.partner, waiting[person]),
                    next_slot_in=next_slot_in,
                    slowdown=pace.slowdown,
                ),
            )
        )
    return found


def apps(now: datetime) -> list[AppNow]:
    """Return what is rationed, and when all that waits is sent."""
    found = []
    for partner in registry.partners():
        if partner.quota is None:
            continue
        slot = rationing.next_slot_in(partner.slug)
        outlook = forecast.outlook(partner.slug, lambda line: True, now=now, next_slot_in=slot)
        found.append(
            AppNow(
                partner=partner.name,
                quota=partner.quota,
                seconds_between_writes=rationing.gap(partner.quota),
                next_slot_in=slot,
                requests=outlook.requests if outlook else 0,
                last_in=outlook.seconds if outlook else None,
                reads_left=rationing.reads_left(partner.slug, partner.quota),
            )
        )
    return found


def connections(now: datetime) -> list[ConnectionNow]:
    """Return the connections that something waits for, and those that are connected, broken or paused."""
    pending = pending_by_connection()
    oldest = oldest_by_connection()
    open_batches = dict(
        Batch.objects.filter(settled_at=None, state__in=Batch.OPEN)
        .order_by()
        .values_list("audience__ad_account__connection")
        .annotate(number=Count("pk"))
    )
    drains = {(one.pace.partner, one.pace.partner_user_id): one.drain_seconds for one in paces(now)}
    shown = ~Q(state=Connection.State.DISCONNECTED) | Q(paused_at__isnull=False) | Q(pk__in=pending)
    return [
        ConnectionNow(
            connection=one,
            pending=pending.get(one.pk, 0),
            oldest_seconds=_seconds_since(oldest.get(one.pk), now),
            open_batches=open_batches.get(one.pk, 0),
            drain_seconds=drains.get((one.partner, one.partner_user_id)) if one.may_call else None,
        )
        for one in Connection.objects.filter(shown).select_related("workspace").order_by("workspace__slug", "pk")
    ]


def requests_by_user(now: datetime) -> dict[tuple[str, str], Counter[str]]:
    """Return the write requests of the last minute, by the person whose token they carried, and outcome."""
    rows = (
        Attempt.objects.filter(started_at__gte=now - LAST_MINUTE, started_at__lte=now)
        .order_by()
        .values_list("pace__partner", "pace__partner_user_id", "outcome")
        .annotate(number=Count("pk"))
    )
    found: dict[tuple[str, str], Counter[str]] = {}
    for partner, person, outcome, number in rows:
        found.setdefault((partner, person), Counter())[outcome] += number
    return found


def recent_troubles(now: datetime) -> list[Trouble]:
    """Return which requests for users were not accepted in the last ten minutes, by connection and reason.

    The latest first.
    """
    rows = (
        Attempt.objects.filter(started_at__gte=now - RECENT, batch__isnull=False)
        .exclude(outcome="accepted")
        .order_by()
        .values_list(
            "batch__audience__ad_account__connection", "batch__audience__ad_account__connection__partner", "outcome"
        )
        .annotate(number=Count("pk"), last=Max("started_at"))
    )
    found = [
        Trouble(connection_id, reason(outcome, registry.name_of(partner)), number, last)
        for connection_id, partner, outcome, number, last in rows
    ]
    return sorted(found, key=lambda one: one.last_at, reverse=True)


def errored_by_reason() -> dict[str, int]:
    """Return how many users are errored now, by code; they wait for Retry."""
    rows = SyncReason.objects.filter(reason__in=ERRORS, users__gt=0).order_by()
    return dict(rows.values_list("reason").annotate(number=Sum("users")).order_by("reason"))


def _seconds_since(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max((now - moment).total_seconds(), 0.0)
