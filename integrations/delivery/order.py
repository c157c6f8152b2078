"""The last intent wins: which of those who wait in a lane may be claimed, where an audience has both operations.

Of one profile in one audience:

- an arrival is not claimed while a delivery of the opposite operation is unfinished;
- of opposite arrivals that both wait, only the last is sent; the earlier ones are superseded (not synced).

Profiles that share a record in the fields that are sent are one person at the partner, whatever they are here: *twins*.
Of twins in one audience:

- an arrival is not claimed while an opposite arrival with a lower id waits, or an opposite delivery is unfinished;
- nothing collapses, for they may share one record and differ in another: both are sent, in the order of their ids.

Neither is anything sent beside an opposite correction of one of its records (correcting.py), which waits for nobody.

The lowest id that waits is held up by nothing that waits, so a lane always moves on. All of this is true only while
the caller holds the lane.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from integrations.delivery import asked, moving
from integrations.delivery.counting import tally
from integrations.delivery.moving import Member, Waiting, opposite
from integrations.models import Batch, Correction
from integrations.reasons import SUPERSEDED

# Looked through for a full batch when others are held up by their twins: a claim stays short whoever waits in front.
MOST_WINDOWS = 4

Records = tuple[str | None, ...]


def in_turn(audience_id: int, operation: str, limit: int, now: datetime, *, first: int = 0) -> list[Waiting]:
    """Return the oldest arrivals of a lane whose turn it is, and end those that a later intent overtook.

    `first` is the id to begin with.
    """
    found: list[Waiting] = []
    for _ in range(MOST_WINDOWS):
        window = moving.oldest(audience_id, operation, limit - len(found), unblocked=True, first=first)
        if not window:
            break
        first = window[-1].id + 1
        wanted = collapse(window, audience_id, operation, now)
        held = held_up(wanted, audience_id, operation)
        found += [arrival for arrival in wanted if arrival.id not in held]
        if not held or len(found) >= limit:
            break
    return found


def collapse(waiting: list[Waiting], audience_id: int, operation: str, now: datetime) -> list[Waiting]:
    """End what a later opposite intent overtook, on both sides; return the arrivals that are still wanted."""
    others = moving.of_profiles({arrival.profile_id for arrival in waiting}, audience_id, opposite(operation))
    last_opposite = {arrival.profile_id: arrival.id for arrival in others}
    wanted = [arrival for arrival in waiting if last_opposite.get(arrival.profile_id, 0) < arrival.id]
    last_wanted = {arrival.profile_id: arrival.id for arrival in wanted}
    overtaken = [arrival.id for arrival in waiting if last_opposite.get(arrival.profile_id, 0) > arrival.id]
    undone = [arrival.id for arrival in others if arrival.id < last_wanted.get(arrival.profile_id, 0)]
    end_not_synced(overtaken + undone, SUPERSEDED, now)
    return wanted


def held_up(waiting: list[Waiting], audience_id: int, operation: str, *, by_deliveries: bool = True) -> set[int]:
    """Return the ids of those arrivals that have to wait for the opposite intent of a twin.

    Without `by_deliveries`, only what twins still wait for counts.
    """
    found = Twins.of(audience_id, ((arrival.profile_id, arrival.match_fields) for arrival in waiting))
    corrected = corrections(audience_id, opposite(operation)) if by_deliveries else set()
    if not found.ids and not corrected:
        return set()
    first: dict[tuple[int, str], int] = {}  # twin and record -> the first opposite arrival
    for other in moving.of_profiles(found.ids, audience_id, opposite(operation)):
        for record in found.sent(other.profile_id, other.match_fields):
            first.setdefault((other.profile_id, record), other.id)
    if by_deliveries:
        for under_way in asked.unfinished(found.ids, audience_id, opposite(operation)):
            for record in found.sent(under_way.profile_id, under_way.match_fields):
                first[under_way.profile_id, record] = 0
    return {
        arrival.id
        for arrival in waiting
        for record in found.sent(arrival.profile_id, arrival.match_fields)
        if record in corrected
        or any(
            first.get((twin, record), arrival.id) < arrival.id
            for twin in found.holders[record]
            if twin != arrival.profile_id
        )
    }


def corrections(audience_id: int, operation: str) -> set[str]:
    """Return the records that corrections under way add to, or remove from, an audience."""
    open_ = Batch.objects.filter(audience_id=audience_id, operation=operation, settled_at=None, is_correction=True)
    return set(Correction.objects.filter(batch__in=list(open_)).values_list("record", flat=True)) if open_ else set()


def overridden(batch: Batch, members: Iterable[Member]) -> set[tuple[int, str]]:
    """Return the pairs of delivery and record of a batch for which the opposite was asked since, by whomever.

    It happens when one of two opposite deliveries was errored: the other went on, or was given up behind it. Such a
    record is not sent again, whatever became of the later intent: that one alone may still be sent, or retried.
    """
    later = Batch.objects.filter(audience_id=batch.audience_id, operation=opposite(batch.operation))
    if batch.parent_id is None:  # no delivery of it is older than the batch
        later = later.filter(pk__gt=batch.pk)
    if not later.exists():
        return set()
    listed = list(members)
    found = Twins.of(batch.audience_id, ((member.profile_id, member.match_fields) for member in listed))
    last: defaultdict[tuple[int, str], int] = defaultdict(int)  # profile and record -> the last opposite delivery
    for other in asked.delivered(found.records, batch.audience_id, opposite(batch.operation)):
        for record in found.sent(other.profile_id, other.match_fields):
            last[other.profile_id, record] = max(last[other.profile_id, record], other.id)
    return {
        (member.id, record)
        for member in listed
        for record in found.sent(member.profile_id, member.match_fields)
        if any(last[holder, record] > member.id for holder in found.holders[record])
    }


def must_wait(batch: Batch, members: Iterable[Member]) -> bool:
    """Return whether an earlier opposite intent of somebody in a batch is being sent right now, or a correction waits.

    It happens to those who are retried only. Intents that merely wait hold up nobody: their records are `overridden`.
    """
    other = opposite(batch.operation)
    sending = Batch.objects.filter(audience_id=batch.audience_id, operation=other, settled_at=None)
    corrected = corrections(batch.audience_id, other)
    if not corrected and not sending.filter(state=Batch.State.SENDING).exists():
        return False
    listed = list(members)
    found = Twins.of(batch.audience_id, ((member.profile_id, member.match_fields) for member in listed))
    first: dict[tuple[int, str], int] = {}
    for one in asked.unfinished(found.records, batch.audience_id, other, state=Batch.State.SENDING):
        for record in found.sent(one.profile_id, one.match_fields):
            first[one.profile_id, record] = min(one.id, first.get((one.profile_id, record), one.id))
    return any(
        record in corrected
        or any(first.get((holder, record), member.id) < member.id for holder in found.holders[record])
        for member in listed
        for record in found.sent(member.profile_id, member.match_fields)
    )


class Twins:
    """Some profiles, and all others of their workspace that have a record of theirs; `ids` are those who share one."""

    def __init__(self, records: dict[int, Records], holders: dict[str, set[int]]) -> None:
        self.records = records
        self.holders = holders  # of each record that is asked about
        self.ids = {one for held_by in holders.values() if len(held_by) > 1 for one in held_by}

    @classmethod
    def of(cls, audience_id: int, wanted: Iterable[tuple[int, int]]) -> "Twins":
        """Find the twins of profiles, given as (profile id, mask)."""
        listed = list(wanted)
        records = moving.records(listed)
        wanted_records = {
            record for profile_id, mask in listed for record in moving.pick(records.get(profile_id), mask)
        }
        holders: dict[str, set[int]] = {record: set() for record in wanted_records}
        for profile_id, found in asked.holders(audience_id, wanted_records).items():
            records[profile_id] = found
            for record in found:
                if record in holders:
                    holders[record].add(profile_id)
        return cls(records, holders)

    def sent(self, profile_id: int, mask: int) -> list[str]:
        """Return which of the records asked about are sent for a profile."""
        return [record for record in moving.pick(self.records.get(profile_id), mask) if record in self.holders]


def end_not_synced(arrival_ids: Collection[int], reason: str, now: datetime) -> None:
    """End users who wait here, without a request."""
    if not arrival_ids:
        return
    with tally(now) as figures:
        for sync_id, users in moving.by_sync(arrival_ids):
            figures.move(sync_id, pending=-users, not_synced=users)
            figures.because(sync_id, reason, users)
        moving.move(arrival_ids, reason=reason)
