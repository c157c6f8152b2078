"""The oldest arrivals of one lane become the deliveries of one batch.

Whoever claims holds the lane's row: of one audience, one claim runs at a time, so what it finds out about the order
of intents stays true until it commits. Order, for one profile in one audience:

- an arrival is not claimed while a delivery of the opposite operation is unfinished;
- of opposite arrivals that both wait, only the last is sent; the earlier ones are superseded (not synced).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from integrations.delivery.counting import tally
from integrations.delivery.limits import Limits
from integrations.delivery.writing import writing
from integrations.models import Arrival, Batch, Delivery, Lane, Operation
from integrations.reasons import NO_USABLE_FIELD, PROFILE_DELETED, SUPERSEDED
from pinsync.profiles.matching import RECORD_COLUMNS, MatchField
from pinsync.profiles.models import Profile

# Longer than a turn (2 s) and the client's timeouts (5 s + 30 s) together; then another worker may send it again.
LEASE = timedelta(seconds=60)


@dataclass(frozen=True)
class Claim:
    """A batch leased to this caller, and the records to send for it."""

    batch: Batch
    records: list[str]


@dataclass(frozen=True)
class Waiting:
    """One arrival, as it was asked for."""

    id: int
    sync_id: int
    profile_id: int
    match_fields: int
    entered_at: datetime


def claim(audience_id: int, operation: str, *, limits: Limits, fresh: bool, now: datetime) -> Claim | None:
    """Lease a batch of the lane: one that waits for its next attempt, else (if `fresh`) a new one.

    Returns None when another worker holds the lane or nothing may be sent now.
    """
    with writing():
        if not _hold(audience_id, now):
            return None
        batch = _take_up(audience_id, operation, now)
        if batch is None and fresh:
            return _claim_arrivals(audience_id, operation, limits, now)
    return None if batch is None else Claim(batch, records_of(batch))


def records_of(batch: Batch) -> list[str]:
    """Return the distinct records of a batch's users, as their profiles are now."""
    asked = Delivery.objects.filter(batch=batch).values_list("profile_id", "match_fields")
    profiles = _records({profile_id for profile_id, _ in asked})
    found: dict[str, None] = {}
    for profile_id, mask in asked:
        found.update(dict.fromkeys(_pick(profiles.get(profile_id), mask)))
    return list(found)


def take_expired(audience_id: int, operation: str, before: datetime, limit: int, now: datetime) -> list[Waiting]:
    """Take the oldest arrivals of a lane that entered before a moment out of the queue.

    The caller appends their deliveries in the same transaction. Returns nothing when another worker holds the lane.
    """
    if not _hold(audience_id, now):
        return []
    waiting = [a for a in _oldest(audience_id, operation, limit, unblocked=False) if a.entered_at <= before]
    _delete([arrival.id for arrival in waiting])
    return waiting


def gives_up_at(oldest: datetime) -> datetime:
    """Return when a user who entered at `oldest` is given up."""
    return oldest + timedelta(seconds=settings.GIVE_UP_AFTER_SECONDS)


def _hold(audience_id: int, now: datetime) -> bool:
    """Lock the lane until the transaction ends and note that it was served."""
    Lane.objects.bulk_create([Lane(audience_id=audience_id)], ignore_conflicts=True)
    lane = Lane.objects.filter(audience_id=audience_id)
    if connection.vendor == "postgresql" and not lane.select_for_update(skip_locked=True).exists():
        return False
    return lane.update(served_at=now.timestamp()) == 1


def _take_up(audience_id: int, operation: str, now: datetime) -> Batch | None:
    """Lease the batch that has waited longest for its next attempt, or whose sender died."""
    open_ = Batch.objects.filter(audience_id=audience_id, operation=operation)
    batch = open_.filter(state=Batch.State.WAITING, next_attempt_at__lte=now).order_by("next_attempt_at").first()
    if batch is None:
        batch = open_.filter(state=Batch.State.SENDING, lease_until__lte=now).order_by("lease_until").first()
    if batch is None:
        return None
    lease = uuid.uuid4()
    ours = Batch.objects.filter(pk=batch.pk, state=batch.state, lease=batch.lease).update(
        state=Batch.State.SENDING, lease=lease, lease_until=now + LEASE
    )
    if not ours:
        return None
    batch.state, batch.lease, batch.lease_until = Batch.State.SENDING, lease, now + LEASE
    return batch


def _claim_arrivals(audience_id: int, operation: str, limits: Limits, now: datetime) -> Claim | None:
    mixed = _has_opposite(audience_id, operation)
    waiting = _oldest(audience_id, operation, limits.users, unblocked=mixed)
    if mixed:
        waiting = _collapse(waiting, audience_id, operation, now)
    profiles = _records({arrival.profile_id for arrival in waiting})
    chosen: list[Waiting] = []
    unusable: list[tuple[Waiting, str]] = []
    records: dict[str, None] = {}
    for arrival in waiting:
        found = _pick(profiles.get(arrival.profile_id), arrival.match_fields)
        if not found:
            gone = arrival.profile_id not in profiles
            unusable.append((arrival, PROFILE_DELETED if gone else NO_USABLE_FIELD))
            continue
        new = [record for record in found if record not in records]
        if len(records) + len(new) > limits.records:
            break
        records.update(dict.fromkeys(new))
        chosen.append(arrival)
    _delete([arrival.id for arrival in chosen] + [arrival.id for arrival, _ in unusable])
    _end_not_synced(unusable, audience_id, operation, now)
    if not chosen:
        return None
    oldest = min(arrival.entered_at for arrival in chosen)
    batch = Batch.objects.create(
        audience_id=audience_id,
        operation=operation,
        state=Batch.State.SENDING,
        users=len(chosen),
        records=len(records),
        oldest_entered_at=oldest,
        gives_up_at=gives_up_at(oldest),
        created_at=now,
        next_attempt_at=now,
        lease=uuid.uuid4(),
        lease_until=now + LEASE,
    )
    append(chosen, audience_id, operation, batch_id=batch.pk)
    return Claim(batch, list(records))


# --- order -----------------------------------------------------------------------------------------------------


def _opposite(operation: str) -> str:
    return Operation.REMOVE if operation == Operation.ADD else Operation.ADD


def _has_opposite(audience_id: int, operation: str) -> bool:
    """Return whether anything of the opposite operation waits or is unfinished in this audience."""
    other = {"audience_id": audience_id, "operation": _opposite(operation)}
    return Arrival.objects.filter(**other).exists() or Batch.objects.filter(**other, state__in=Batch.OPEN).exists()


def _collapse(waiting: list[Waiting], audience_id: int, operation: str, now: datetime) -> list[Waiting]:
    """End what a later opposite intent overtook, on both sides; return the arrivals that are still wanted."""
    if not waiting:
        return waiting
    opposite = _opposite(operation)
    latest = {arrival.profile_id: arrival.id for arrival in waiting}
    others = list(
        Arrival.objects.filter(profile_id__in=latest, audience_id=audience_id, operation=opposite).values_list(
            "id", "sync_id", "profile_id", "match_fields", "entered_at"
        )
    )
    last_opposite: dict[int, int] = {}
    for row in others:
        last_opposite[row[2]] = max(row[0], last_opposite.get(row[2], 0))
    overtaken = [arrival for arrival in waiting if last_opposite.get(arrival.profile_id, 0) > arrival.id]
    wanted = [arrival for arrival in waiting if last_opposite.get(arrival.profile_id, 0) <= arrival.id]
    wanted_latest = {arrival.profile_id: arrival.id for arrival in wanted}
    undone = [Waiting(*row) for row in others if row[0] < wanted_latest.get(row[2], 0)]
    _delete([arrival.id for arrival in overtaken] + [arrival.id for arrival in undone])
    _end_not_synced([(arrival, SUPERSEDED) for arrival in overtaken], audience_id, operation, now)
    _end_not_synced([(arrival, SUPERSEDED) for arrival in undone], audience_id, opposite, now)
    return wanted


# --- SQL -------------------------------------------------------------------------------------------------------

_UNBLOCKED = """
AND NOT EXISTS (
    SELECT 1 FROM integrations_delivery d JOIN integrations_batch b ON b.id = d.batch_id
    WHERE d.profile_id = a.profile_id AND d.audience_id = a.audience_id AND d.operation <> a.operation
      AND b.state IN ('waiting', 'sending'))
"""


def _oldest(audience_id: int, operation: str, limit: int, *, unblocked: bool) -> list[Waiting]:
    """Return the oldest arrivals of a lane; with `unblocked`, only those whose opposite is not under way."""
    query = (
        "SELECT a.id, a.sync_id, a.profile_id, a.match_fields, a.entered_at FROM integrations_arrival a"
        f" WHERE a.audience_id = %s AND a.operation = %s {_UNBLOCKED if unblocked else ''} ORDER BY a.id LIMIT %s"
    )
    return [
        Waiting(row.id, row.sync_id, row.profile_id, row.match_fields, row.entered_at)
        for row in Arrival.objects.raw(query, [audience_id, operation, limit])
    ]


def _records(profile_ids: set[int]) -> dict[int, tuple[str | None, ...]]:
    """Return the records of profiles by id, in the order of MatchField; a deleted profile is not in it."""
    columns = [RECORD_COLUMNS[name] for name in RECORD_COLUMNS]
    return {row[0]: row[1:] for row in Profile.objects.filter(pk__in=profile_ids).values_list("pk", *columns)}


def _pick(found: tuple[str | None, ...] | None, mask: int) -> list[str]:
    """Return the usable records of the asked fields."""
    if found is None:
        return []
    return [record for field, record in zip(MatchField, found, strict=True) if mask & field and record]


def _delete(arrival_ids: Sequence[int]) -> None:
    if not arrival_ids:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DELETE FROM integrations_arrival WHERE id = ANY(%s)", [list(arrival_ids)])
        else:
            cursor.executemany("DELETE FROM integrations_arrival WHERE id = %s", [(pk,) for pk in arrival_ids])


def append(
    arrivals: Sequence[Waiting], audience_id: int, operation: str, *, batch_id: int | None, reason: str = ""
) -> None:
    """Append a delivery for each arrival."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "INSERT INTO integrations_delivery"
                " (sync_id, profile_id, audience_id, batch_id, operation, match_fields, reason, entered_at)"
                " SELECT s, p, %s, %s, %s, m, %s, e FROM"
                " unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::timestamptz[]) AS t(s, p, m, e)",
                [
                    audience_id,
                    batch_id,
                    operation,
                    reason,
                    [arrival.sync_id for arrival in arrivals],
                    [arrival.profile_id for arrival in arrivals],
                    [arrival.match_fields for arrival in arrivals],
                    [arrival.entered_at for arrival in arrivals],
                ],
            )
        else:
            moment = connection.ops.adapt_datetimefield_value
            cursor.executemany(
                "INSERT INTO integrations_delivery"
                " (sync_id, profile_id, audience_id, batch_id, operation, match_fields, reason, entered_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        a.sync_id,
                        a.profile_id,
                        audience_id,
                        batch_id,
                        operation,
                        a.match_fields,
                        reason,
                        moment(a.entered_at),
                    )
                    for a in arrivals
                ],
            )


def _end_not_synced(ended: Sequence[tuple[Waiting, str]], audience_id: int, operation: str, now: datetime) -> None:
    """Append the deliveries of users who end here without a request."""
    if not ended:
        return
    with tally(now) as figures:
        for reason in sorted({reason for _, reason in ended}):
            arrivals = [arrival for arrival, why in ended if why == reason]
            append(arrivals, audience_id, operation, batch_id=None, reason=reason)
            for arrival in arrivals:
                figures.move(arrival.sync_id, pending=-1, not_synced=1)
                figures.because(arrival.sync_id, reason, 1)
