"""How the sending of a step goes on: who waits longest, when the next request starts, how long until nobody waits.

Read from rows that are few or found by an index; asks no partner.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from canvas.analytics import lanes, streams
from canvas.analytics.figures import Metrics, read
from canvas.models import Step
from integrations import registry, sizes
from integrations.audiences import connection_of
from integrations.contract import Quota
from integrations.delivery import forecast, timetable
from integrations.delivery.forecast import Line, Outlook
from integrations.delivery.timetable import Timetable
from integrations.models import Audience, AudienceSync, Batch, Delivery
from integrations.reasons import Reason, reason
from integrations.sizes import Standing


@dataclass(frozen=True)
class Flow:
    """Beside the figures of a sync step. Times are in seconds; None where there is nothing to say."""

    partner: str
    standing: Standing | None  # of the audience, once there is one
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
    if sync is None or not _has_partner(sync):
        return None
    partner = registry.partner(sync.partner)
    connection = connection_of(sync)
    may_call = connection is not None and connection.may_call
    open_ = _open_batches(sync) if figures.pending else []
    oldest = lanes.oldest(sync, window=streams.WINDOW) if figures.pending else None
    times = timetable.read(connection, minute_to=now)
    failing = next((batch for batch in open_ if batch.reason), None)
    goes_on = bool(figures.pending and may_call and sync.audience_id)
    return Flow(
        partner=partner.name,
        standing=_standing(sync),
        requests=times.requests,
        requests_allowed=round(60 / partner.seconds_between_writes) if partner.seconds_between_writes else 0,
        waits=_seconds(now, [batch.oldest_entered_at for batch in open_] + ([oldest] if oldest else [])),
        next_request=max(times.next_slot_in, _next_try(open_, oldest, times, now)) if goes_on else None,
        rate_limited=times.is_blocked or (failing is not None and failing.reason == "rate_limited"),
        drained=_drained(sync, figures.pending, times) if goes_on else None,
        quota=partner.quota,
        outlook=_outlook(sync, forecast.lines_at(sync.partner), now, times) if goes_on and partner.quota else None,
        held_up_by=reason(failing.reason, partner.name) if failing else None,
        is_stopped=not may_call,
    )


def _standing(sync: AudienceSync) -> Standing | None:
    if sync.audience is None:
        return None
    if sync.ad_account is not None and sync.ad_account_id == sync.audience.ad_account_id:
        sync.audience.ad_account = sync.ad_account  # the step came with it: no more questions
    return sizes.standing(sync.audience)


@dataclass(frozen=True)
class Note:
    """The one line below a card's figures: why its users wait longer than a batch takes."""

    next_request: float  # seconds until then
    is_rate_limited: bool
    held_up_by: Reason | None  # why the last request failed, unless it was for the rate
    outlook: Outlook | None


def notes_of(steps: Iterable[Step], now: datetime) -> dict[int, Note]:
    """Return what to say below the cards of a Canvas, by step: nothing where nobody waits, or only for the pace.

    `steps` come from `steps_of`. The number of queries does not grow with theirs.
    """
    waiting = [
        (step.pk, step.sync, connection)
        for step in steps
        if step.sync is not None and step.sync.audience_id and _has_partner(step.sync) and read(step).pending
        if (connection := connection_of(step.sync)) is not None and connection.may_call
    ]
    times = {connection.pk: connection for _, _, connection in waiting}
    tables = {pk: timetable.read(connection) for pk, connection in times.items()}
    partners = {sync.partner for _, sync, _ in waiting if registry.partner(sync.partner).quota}
    lines = {partner: forecast.lines_at(partner) for partner in partners}
    failing = _failing([sync.audience_id for _, sync, _ in waiting if sync.audience_id])
    found = {}
    for pk, sync, connection in waiting:
        table, batch = tables[connection.pk], failing.get(sync.audience_id or 0)
        is_limited = table.is_blocked or (batch is not None and batch.reason == "rate_limited")
        wait = max(table.next_slot_in, (batch.next_attempt_at - now).total_seconds() if batch else 0.0)
        held_up_by = reason(batch.reason, registry.name_of(sync.partner)) if batch and not is_limited else None
        outlook = _outlook(sync, lines[sync.partner], now, table) if sync.partner in lines else None
        if is_limited or held_up_by or outlook:
            found[pk] = Note(wait, is_limited, held_up_by, outlook)
    return found


def _has_partner(sync: AudienceSync) -> bool:
    return sync.partner in {partner.slug for partner in registry.partners()}


def _failing(audiences: list[int]) -> dict[int, Batch]:
    """Return of each audience the batch that is tried again next: of those refused for the rate, if there are any."""
    found: dict[int, Batch] = {}
    if audiences:
        batches = Batch.objects.filter(audience__in=audiences, settled_at=None, reason__gt="")
        first = batches.order_by("next_attempt_at")[: streams.BATCHES]
        for batch in sorted(first, key=lambda batch: batch.reason != "rate_limited"):
            found.setdefault(batch.audience_id, batch)
    return found


def _open_batches(sync: AudienceSync) -> list[Batch]:
    """Return the unfinished batches with users of the sync, those that come next first."""
    audiences = Audience.objects.filter(ad_account__connection__workspace=sync.workspace_id)
    members = Delivery.objects.filter(batch=OuterRef("pk"), sync=sync.pk)
    batches = Batch.objects.filter(audience__in=audiences.order_by().values("pk"), settled_at=None)
    return list(batches.filter(Exists(members)).order_by("next_attempt_at")[: streams.BATCHES])


def _seconds(now: datetime, moments: list[datetime]) -> float | None:
    return max((now - min(moments)).total_seconds(), 0.0) if moments else None


def _next_try(open_: list[Batch], oldest: datetime | None, times: Timetable, now: datetime) -> float:
    """Return the seconds until something is due: a batch's next attempt, or the tick that flushes arrivals."""
    if any(batch.state == Batch.State.SENDING for batch in open_):
        return 0.0
    due = [batch.next_attempt_at for batch in open_]
    if oldest is not None:
        due.append(datetime.fromtimestamp(times.last_tick, tz=UTC) + timedelta(seconds=settings.TICK_SECONDS))
    return max((min(due) - now).total_seconds(), 0.0) if due else 0.0


def _drained(sync: AudienceSync, pending: int, times: Timetable) -> float:
    requests = forecast.requests_for(sync.partner, pending)
    return forecast.seconds_until_sent(sync.partner, requests, next_slot_in=times.next_slot_in, slowdown=times.slowdown)


def _outlook(sync: AudienceSync, lines: list[Line], now: datetime, times: Timetable) -> Outlook | None:
    return forecast.outlook(
        sync.partner,
        lambda line: (line.audience_id, line.operation) == (sync.audience_id, sync.operation),
        now=now,
        next_slot_in=times.next_slot_in,
        lines=lines,
    )
