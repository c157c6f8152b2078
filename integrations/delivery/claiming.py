"""The oldest arrivals of one lane become the deliveries of one batch.

Whoever claims holds the lane's row: of one audience, one claim runs at a time, so what it finds out about the order
of intents (order.py) stays true until it commits.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from integrations.delivery import moving, order, settling, taking
from integrations.delivery.counting import tally
from integrations.delivery.limits import Limits
from integrations.delivery.moving import Member, Waiting, opposite
from integrations.delivery.plans import by_index
from integrations.delivery.writing import writing
from integrations.models import Batch, Delivery, Lane
from integrations.reasons import NO_USABLE_FIELD, PROFILE_DELETED, SUPERSEDED
from pinsync.sql import insert_row, prepared

OPPOSITE_TAKES = timedelta(seconds=5)  # until a batch is looked at again that waits for an answer to another one


@dataclass(frozen=True)
class Claim:
    """A batch leased to this caller, and the records to send for it."""

    batch: Batch
    records: list[str]


class LaneHeld(Exception):
    """Another worker claims from this lane at this moment, which takes milliseconds, or has done so before its turn."""


def claim(
    audience_id: int,
    operation: str,
    *,
    limits: Limits,
    fresh: bool,
    now: datetime,
    retries: bool = True,
    first_id: int = 0,
    last_served: float | None = None,
) -> Claim | None:
    """Lease a batch of the lane: one that waits for its next attempt (if `retries`), else (if `fresh`) a new one.

    `first_id` is an arrival before which nobody waits, as far as the caller knows: whoever does is left for later.
    `last_served` is when the audience was served last, as far as the caller knows, where others wait for their turn: it
    has had its turn if it was served since. Returns None when nothing may be sent now. Raises LaneHeld.
    """
    with writing(), by_index(), tally(now):
        was_crowded = _hold(audience_id, now, last_served)
        if was_crowded is None:
            raise LaneHeld
        while retries and (batch := _take_up(audience_id, operation, now)) is not None:
            prepare = _corrections if batch.is_correction else _as_profiles_are_now
            claimed = prepare(batch, limits, now)
            if claimed is not None:
                return claimed
        if not fresh:
            return None
        claimed = _claim_arrivals(audience_id, operation, limits, now, first_id)
        crowded = claimed is not None and limits.are_reached(users=claimed.batch.users, records=claimed.batch.records)
        if crowded != was_crowded:
            Lane.objects.filter(audience_id=audience_id).update(crowded=crowded)
        return claimed


def _as_profiles_are_now(batch: Batch, limits: Limits, now: datetime) -> Claim | None:
    """Return what to send for a batch that waited: profiles may have changed since it was made.

    Whoever has no usable value left ends not synced, and so does a retried user whose twin was asked the opposite
    since. A batch with more records than one request holds is halved; None then, when nobody is left, and when an
    earlier opposite intent is being sent right now.
    """
    members = [Member(*row) for row in Delivery.objects.filter(batch=batch).values_list(*Member._fields)]
    if order.must_wait(batch, members):
        settling.put_off(batch, OPPOSITE_TAKES, now=now)
        return None
    profiles = moving.records((profile_id, mask) for _, profile_id, mask in members)
    overridden = order.overridden(batch, members)
    ended: dict[str, list[int]] = {NO_USABLE_FIELD: [], PROFILE_DELETED: [], SUPERSEDED: []}
    records: dict[str, None] = {}
    for delivery_id, profile_id, mask in members:
        found = moving.pick(profiles.get(profile_id), mask)
        wanted = [record for record in found if (delivery_id, record) not in overridden]
        if not found:
            ended[NO_USABLE_FIELD if profile_id in profiles else PROFILE_DELETED].append(delivery_id)
        elif not wanted:
            ended[SUPERSEDED].append(delivery_id)
        records.update(dict.fromkeys(wanted))
    for reason, delivery_ids in ended.items():
        settling.end_not_synced(batch, delivery_ids, reason, now)
    if batch.users == 0:
        return None
    if len(records) > limits.records and batch.users > 1:
        settling.halve(batch, now=now)
        return None
    if batch.records != len(records):
        batch.records = len(records)
        Batch.objects.filter(pk=batch.pk).update(records=batch.records)
    return Claim(batch, list(records))


def _corrections(batch: Batch, limits: Limits, now: datetime) -> Claim | None:
    """Return what to send for a correction; too many records for one request are halved, and None returned."""
    records = list(batch.corrections.order_by().values_list("record", flat=True))
    if len(records) > limits.records:
        settling.halve(batch, now=now)
        return None
    return Claim(batch, records)


def take_expired(audience_id: int, operation: str, before: datetime, limit: int, now: datetime) -> list[Waiting]:
    """Return those of a lane's oldest arrivals that entered before a moment, and hold the lane.

    The caller moves them in the same transaction. Returns nothing when another worker holds the lane.
    """
    if _hold(audience_id, now) is None:
        return []
    # Not filtered by the database: it would look through the whole lane for more.
    oldest = moving.oldest(audience_id, operation, limit, unblocked=False)
    return [arrival for arrival in oldest if moving.moment(arrival.entered) <= before]


def gives_up_at(oldest: datetime) -> datetime:
    """Return when a user who entered at `oldest` is given up."""
    return oldest + timedelta(seconds=settings.GIVE_UP_AFTER_SECONDS)


def wait_for_lane(audience_id: int) -> None:
    """Lock the lane until the transaction ends: no claim runs meanwhile. Before any batch is locked."""
    Lane.objects.bulk_create([Lane(audience_id=audience_id)], ignore_conflicts=True)
    Lane.objects.select_for_update().get(audience_id=audience_id)


def _hold(audience_id: int, now: datetime, last_served: float | None = None) -> bool | None:
    """Lock the lane until the transaction ends and note that it was served; return whether it is crowded.

    Return None where another has it, and where it was served since `last_served`.
    """
    crowded = _serve(audience_id, now, last_served)
    if crowded is not None or Lane.objects.filter(audience_id=audience_id).exists():
        return crowded
    # Only now: an insert that meets a row which another claim has changed waits for that claim.
    Lane.objects.bulk_create([Lane(audience_id=audience_id)], ignore_conflicts=True)
    return _serve(audience_id, now, last_served)


def _serve(audience_id: int, now: datetime, last_served: float | None) -> bool | None:
    lane = "%s"
    if connection.vendor == "postgresql":
        lane = "(SELECT audience_id FROM integrations_lane WHERE audience_id = %s FOR UPDATE SKIP LOCKED)"
    condition, values = f"audience_id = {lane}", [now.timestamp(), audience_id]
    if last_served is not None:
        condition, values = f"{condition} AND served_at <= %s", [*values, last_served]
    with prepared() as cursor:
        cursor.execute(f"UPDATE integrations_lane SET served_at = %s WHERE {condition} RETURNING crowded", values)
        return next((bool(crowded) for (crowded,) in cursor.fetchall()), None)


def _take_up(audience_id: int, operation: str, now: datetime) -> Batch | None:
    """Lease the batch that has waited longest for its next attempt, or whose sender died."""
    open_ = Batch.objects.filter(audience_id=audience_id, operation=operation, settled_at=None)
    batch = open_.filter(state=Batch.State.WAITING, next_attempt_at__lte=now).order_by("next_attempt_at").first()
    if batch is None:
        batch = open_.filter(state=Batch.State.SENDING, lease_until__lte=now).order_by("lease_until").first()
    if batch is None:
        return None
    lease = uuid.uuid4()
    ours = Batch.objects.filter(pk=batch.pk, state=batch.state, lease=batch.lease).update(
        state=Batch.State.SENDING, lease=lease, lease_until=now + settling.LEASE
    )
    # Read again: giving up may have taken users out of it meanwhile.
    return Batch.objects.get(pk=batch.pk) if ours else None


def _claim_arrivals(audience_id: int, operation: str, limits: Limits, now: datetime, first_id: int) -> Claim | None:
    taken = None
    if connection.vendor == "postgresql":
        taken = taking.take(audience_id, operation, limits, first=first_id)
    if taken is None:
        return _claim_one_by_one(audience_id, operation, limits, now, first_id)
    order.end_not_synced(taken.unusable, NO_USABLE_FIELD, now)
    order.end_not_synced(taken.deleted, PROFILE_DELETED, now)
    if taken.oldest_entered_at is None:
        return None
    batch = _leased(
        audience_id,
        operation,
        limits,
        now,
        pk=taken.batch_id,
        users=taken.users,
        records=len(taken.records),
        oldest_entered_at=taken.oldest_entered_at,
    )
    batch.of_syncs = taken.of_syncs
    return Claim(batch, taken.records)


def _claim_one_by_one(audience_id: int, operation: str, limits: Limits, now: datetime, first_id: int) -> Claim | None:
    waiting = moving.oldest(audience_id, operation, limits.users, unblocked=False, first=first_id)
    # Asked after the arrivals were read: whoever of them was asked the opposite before is seen by this statement.
    if moving.has_any(audience_id, opposite(operation)):
        waiting = order.in_turn(audience_id, operation, limits.users, now, first=first_id)
    chosen: list[Waiting] = []
    unusable: list[int] = []
    deleted: list[int] = []
    records: dict[str, None] = {}
    room = limits.records
    is_full = False
    for arrival in waiting:
        found = arrival.records
        if not found:
            (unusable if arrival.is_there else deleted).append(arrival.id)
            continue
        if chosen and len(records) + len(found) > room:  # whoever alone is too many goes alone
            is_full = is_full or len(records) + sum(record not in records for record in set(found)) > room
        if not is_full:
            chosen.append(arrival)
            for record in found:
                records[record] = None
    order.end_not_synced(unusable, NO_USABLE_FIELD, now)
    order.end_not_synced(deleted, PROFILE_DELETED, now)
    if not chosen:
        return None
    batch = _leased(
        audience_id,
        operation,
        limits,
        now,
        users=len(chosen),
        records=len(records),
        oldest_entered_at=moving.oldest_entry(chosen),
    )
    moving.move_waiting(chosen, batch_id=batch.pk)
    return Claim(batch, list(records))


def _leased(
    audience_id: int, operation: str, limits: Limits, now: datetime, *, oldest_entered_at: datetime, **values: int
) -> Batch:
    """Make a batch that the caller is to send."""
    batch = Batch(
        audience_id=audience_id,
        operation=operation,
        state=Batch.State.SENDING,
        oldest_entered_at=oldest_entered_at,
        # Waiting for the quota of the whole app spends nobody's 13 hours.
        gives_up_at=gives_up_at(now if limits.rationed else oldest_entered_at),
        created_at=now,
        next_attempt_at=now,
        lease=uuid.uuid4(),
        lease_until=now + settling.LEASE,
        **values,
    )
    given = {field.attname: getattr(batch, field.attname) for field in Batch._meta.concrete_fields}
    batch.pk = insert_row(Batch, {name: value for name, value in given.items() if value is not None})
    return batch
