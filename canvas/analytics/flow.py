"""How the sending of a step goes on: who waits longest, when the next request starts, how long until nobody waits.

Read from rows that are few or found by an index; asks no partner.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from canvas.analytics import streams
from canvas.analytics.figures import Metrics
from canvas.models import Step
from integrations import registry
from integrations.contract import Quota
from integrations.delivery import forecast, pacing, rationing
from integrations.delivery.clock import read_clock
from integrations.delivery.forecast import Outlook
from integrations.models import Arrival, Attempt, Audience, AudienceSync, Batch, Connection, Delivery, Pace, Tick
from integrations.reasons import Reason, reason

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Flow:
    """Beside the figures of a sync step. Times are in seconds; None where there is nothing to say."""

    partner: str
    audience: Audience | None
    smallest_size: int  # below this the partner hides an audience's size
    requests: int  # of this partner user in the last minute, for all of their audiences
    requests_allowed: int  # in a minute, at the pace in force
    waits: float | None  # since when the user waits who waits longest
    next_request: float | None
    rate_limited: bool
    drained: float | None  # at the pace in force, if nobody else sends
    quota: Quota | None  # of our whole app
    outlook: Outlook | None  # what it means for these users
    held_up_by: Reason | None  # why the last request for those who wait failed
    is_stopped: bool  # no call may be made: the connection is broken, paused or gone


def flow_of(step: Step, figures: Metrics, now: datetime) -> Flow | None:
    """Return how a sync step's sending goes on; None for another kind of step, or one that is not set up."""
    sync = step.sync
    if sync is None or not sync.partner or sync.partner not in {partner.slug for partner in registry.partners()}:
        return None
    partner = registry.partner(sync.partner)
    connection = Connection.objects.filter(workspace=sync.workspace_id, partner=sync.partner).first()
    may_call = connection is not None and connection.may_call
    open_ = _open_batches(sync) if figures.pending else []
    oldest = _oldest_arrival(sync) if figures.pending else None
    slot, rate_limited = _slot(connection)
    failing = next((batch for batch in open_ if batch.reason), None)
    return Flow(
        partner=partner.name,
        audience=sync.audience,
        smallest_size=partner.smallest_reported_size,
        requests=_requests(connection, now),
        requests_allowed=round(60 / partner.seconds_between_writes) if partner.seconds_between_writes else 0,
        waits=_seconds(now, [batch.oldest_entered_at for batch in open_] + ([oldest] if oldest else [])),
        next_request=max(slot, _next_try(open_, oldest, now)) if figures.pending and may_call else None,
        rate_limited=rate_limited or (failing is not None and failing.reason == "rate_limited"),
        drained=_drained(connection, figures.pending, slot) if figures.pending and may_call and connection else None,
        quota=partner.quota,
        outlook=_outlook(sync, now, slot) if figures.pending and may_call else None,
        held_up_by=reason(failing.reason, partner.name) if failing else None,
        is_stopped=not may_call,
    )


@dataclass(frozen=True)
class Note:
    """The one line below a card's figures: why its users wait longer than a batch takes."""

    rate_limited: float | None  # seconds until the next request, when the partner asked for fewer
    outlook: Outlook | None


def note_of(step: Step, figures: Metrics, now: datetime) -> Note | None:
    """Return what to say below a card; None where nobody waits, or nothing but the pace is to be waited for."""
    sync = step.sync
    if sync is None or not figures.pending or sync.partner not in {partner.slug for partner in registry.partners()}:
        return None
    connection = Connection.objects.filter(workspace=sync.workspace_id, partner=sync.partner).first()
    if connection is None or not connection.may_call:
        return None
    slot, is_blocked = _slot(connection)
    refused = Batch.objects.filter(audience=sync.audience_id, settled_at=None, reason="rate_limited")
    next_try = refused.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
    wait = max(slot, (next_try - now).total_seconds() if next_try else 0.0) if is_blocked or next_try else None
    outlook = _outlook(sync, now, slot)
    return None if wait is None and outlook is None else Note(wait, outlook)


def _open_batches(sync: AudienceSync) -> list[Batch]:
    """Return the unfinished batches with users of the sync, those that come next first."""
    members = Delivery.objects.filter(batch=OuterRef("pk"), sync=sync.pk)
    batches = Batch.objects.filter(audience__in=streams.fed_audiences(sync), settled_at=None)
    return list(batches.filter(Exists(members)).order_by("next_attempt_at")[: streams.BATCHES])


def _oldest_arrival(sync: AudienceSync) -> datetime | None:
    """Return when the sync's first arrival entered; looks at the beginning of each lane only."""
    found = []
    for audience in streams.waiting_audiences(sync):
        for operation in ("add", "remove"):
            lane = Arrival.objects.filter(audience=audience, operation=operation).order_by("id")
            end = lane.values_list("pk", flat=True)[streams.WINDOW - 1 : streams.WINDOW].first()
            ours: QuerySet[Arrival] = lane.filter(sync=sync.pk)
            first = (ours.filter(id__lte=end) if end else ours).values_list("entered_at", flat=True).first()
            found += [first] if first else []
    return min(found, default=None)


def _seconds(now: datetime, moments: list[datetime]) -> float | None:
    return max((now - min(moments)).total_seconds(), 0.0) if moments else None


def _pace(connection: Connection | None) -> Pace | None:
    if connection is None:
        return None
    return Pace.objects.filter(partner=connection.partner, partner_user_id=connection.partner_user_id).first()


def _slot(connection: Connection | None) -> tuple[float, bool]:
    """Return the seconds until the partner user's next free slot, and whether the partner asked for that wait."""
    pace = _pace(connection)
    if pace is None:
        return 0.0, False
    blocked_until = max(pace.blocked_until, rationing.blocked_until(pace.partner))
    return pacing.seconds_to_next_slot(pace), blocked_until > read_clock()


def _next_try(open_: list[Batch], oldest: datetime | None, now: datetime) -> float:
    """Return the seconds until something is due: a batch's next attempt, or the tick that flushes arrivals."""
    if any(batch.state == Batch.State.SENDING for batch in open_):
        return 0.0
    due = [batch.next_attempt_at for batch in open_]
    if oldest is not None:
        last = Tick.objects.filter(pk=1).values_list("last_at", flat=True).first() or 0
        due.append(datetime.fromtimestamp(last, tz=UTC) + timedelta(seconds=settings.TICK_SECONDS))
    return max((min(due) - now).total_seconds(), 0.0) if due else 0.0


def _requests(connection: Connection | None, now: datetime) -> int:
    """Return how many write requests of the partner user started in the last minute, in every workspace."""
    if connection is None:
        return 0
    same_user = {"pace__partner": connection.partner, "pace__partner_user_id": connection.partner_user_id}
    return Attempt.objects.filter(started_at__gt=now - MINUTE, started_at__lte=now, **same_user).count()


def _drained(connection: Connection, pending: int, next_slot_in: float) -> float:
    pace = _pace(connection)
    return forecast.seconds_until_sent(
        connection.partner,
        forecast.requests_for(connection.partner, pending),
        next_slot_in=next_slot_in,
        slowdown=pace.slowdown if pace else 1.0,
    )


def _outlook(sync: AudienceSync, now: datetime, next_slot_in: float) -> Outlook | None:
    return forecast.outlook(
        sync.partner,
        lambda line: (line.audience_id, line.operation) == (sync.audience_id, sync.operation),
        now=now,
        next_slot_in=next_slot_in,
    )
