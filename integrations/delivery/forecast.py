"""When those who wait are sent: at the pace in force, a person's or, where the whole app has a quota, the app's.

Read from the figures of the syncs and two small rows; nothing here counts a large table, and no partner is asked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from integrations.contract import Quota
from integrations.delivery import pacing, rationing, timetable
from integrations.delivery.limits import limits_of
from integrations.models import Connection, Operation, SyncTotals


@dataclass(frozen=True)
class Line:
    """The requests that wait for one audience and operation."""

    audience_id: int
    operation: str
    connection_id: int
    requests: int


@dataclass(frozen=True)
class Outlook:
    """What a partner's quota means for some who wait."""

    quota: Quota
    requests: int  # that wait for them
    seconds: float  # until the last of them is sent
    last_at: datetime


@dataclass(frozen=True)
class Standing:
    """The pace of one connection now."""

    next_slot_in: float  # seconds
    is_blocked: bool  # the partner asked for no requests until then
    slowdown: float  # 1 at full pace
    quota: Quota | None
    outlook: Outlook | None


def seconds_until_sent(partner_slug: str, requests: int, *, next_slot_in: float = 0.0, slowdown: float = 1.0) -> float:
    """Return when the last of so many requests starts, if nobody else sends; 0 when there is none."""
    if not requests:
        return 0.0
    return next_slot_in + (requests - 1) * pacing.gap(partner_slug, slowdown)


def requests_for(partner_slug: str, users: int) -> int:
    """Return how many full requests so many users take."""
    return -(-users // limits_of(partner_slug).users)


def next_slot_in(connection: Connection) -> float:
    """Return the seconds until the next write request for this connection may start."""
    return timetable.read(connection).next_slot_in


def lines_at(partner_slug: str) -> list[Line]:
    """Return what waits for a partner, in all workspaces, where it may be sent."""
    rows = (
        SyncTotals.objects.filter(
            pending__gt=0,
            sync__audience__ad_account__connection__partner=partner_slug,
            sync__audience__ad_account__connection__state=Connection.State.CONNECTED,
            sync__audience__ad_account__connection__paused_at=None,
        )
        .order_by()
        .values_list("sync__audience", "sync__operation", "sync__audience__ad_account__connection")
        .annotate(users=Sum("pending"))
    )
    return [
        Line(audience, operation, link, requests_for(partner_slug, users)) for audience, operation, link, users in rows
    ]


def outlook(
    partner_slug: str,
    is_ours: Callable[[Line], bool],
    *,
    now: datetime,
    next_slot_in: float,
    more: Iterable[Line] = (),
    lines: Iterable[Line] | None = None,
) -> Outlook | None:
    """Return when the last request of some lines starts while all take turns, removals first.

    `lines` are what waits, for callers who know it; `more` are requests that would come on top. None where the partner
    has no quota of our app, or nothing waits.
    """
    quota = rationing.quota_of(partner_slug)
    if quota is None:
        return None
    merged: dict[tuple[int, str], Line] = {}
    for line in (*(lines_at(partner_slug) if lines is None else lines), *more):
        before = merged.get((line.audience_id, line.operation))
        requests = line.requests + (before.requests if before else 0)
        merged[line.audience_id, line.operation] = Line(line.audience_id, line.operation, line.connection_id, requests)
    ours = [line for line in merged.values() if is_ours(line)]
    if not ours:
        return None
    last = max(sum(_served_before(other, line) for other in merged.values()) for line in ours)
    seconds = seconds_until_sent(partner_slug, last, next_slot_in=next_slot_in)
    return Outlook(quota, sum(line.requests for line in ours), seconds, now + timedelta(seconds=seconds))


def standing(connection: Connection, now: datetime) -> Standing:
    """Return what keeps a connection from full speed, and when everybody who waits for it is sent."""
    paced = timetable.read(connection)
    ours = outlook(
        connection.partner,
        lambda line: line.connection_id == connection.pk,
        now=now,
        next_slot_in=paced.next_slot_in,
    )
    return Standing(
        next_slot_in=paced.next_slot_in,
        is_blocked=paced.is_blocked,
        slowdown=paced.slowdown,
        quota=rationing.quota_of(connection.partner),
        outlook=ours if connection.may_call else None,
    )


def _served_before(other: Line, line: Line) -> int:
    """Return how many requests of `other` start no later than the last one of `line`."""
    if other == line or (other.operation == Operation.REMOVE and line.operation != Operation.REMOVE):
        return other.requests
    return min(other.requests, line.requests) if other.operation == line.operation else 0
