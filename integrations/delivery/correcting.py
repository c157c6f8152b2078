"""Users whose data changed after they were sent: the old record leaves the audience, the new one comes in, by itself.

A changed profile leaves a RecordChange (profiles). The tick makes Corrections of it, for every audience to which the
profile was ever sent: *look at this record again*. What is right for a record follows from who has it now: the last
accepted intent of all who have it, of twins, too. So a correction may be made twice, late or in vain, and it also mends
what went wrong while an old and a new record were under way together.

A correction is decided only when nothing that is under way, or waits, may touch its record: then it becomes part of a
batch without users, which goes the way of all batches (pace, lease, retries, split, 13 hours). Until it has ended,
nobody with that record is sent the opposite (order.py).

Nothing is done about profiles that are deleted: nobody knows their records any more.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from integrations.delivery import asked, claiming, moving
from integrations.delivery.asked import Intent
from integrations.delivery.limits import limits_of
from integrations.delivery.plans import by_index
from integrations.delivery.writing import writing
from integrations.models import Audience, Batch, Correction, Operation
from pinsync.profiles.models import RecordChange

log = logging.getLogger("pinsync.delivery")

SECONDS = 3.0  # of one tick; the rest comes with the next one
CHANGES_AT_ONCE = 2_000  # in one transaction, during which nothing is claimed for their audiences
MOST_OPEN = 8  # batches of corrections of one audience: users take turns with them


def follow(now: datetime, *, seconds: float = SECONDS) -> int:
    """Make corrections of what changed, and batches of those that are ready; return how many batches.

    Works for about `seconds`. Any number of processes may do it at once; safe to repeat.
    """
    ends_at = time.monotonic() + seconds
    while _take_changes() and time.monotonic() < ends_at:
        pass
    made = 0
    for audience_id in Correction.objects.filter(batch=None).order_by().values_list("audience", flat=True).distinct():
        try:
            made += _decide(audience_id, now)
        except Exception:  # delivery goes on behind this, and so do the other audiences
            log.exception("correcting failed", extra={"audience": audience_id})
        if time.monotonic() > ends_at:
            break
    return made


def waiting() -> int:
    """Return how many changes and corrections wait or are under way; small tables, emptied by every tick."""
    return RecordChange.objects.count() + Correction.objects.exclude(batch__state=Batch.State.ERRORED).count()


def retry_batch(batch: Batch) -> int:
    """Make the corrections of an errored batch again, as they are right now; return how many records."""
    with writing():
        errored = Batch.objects.filter(pk=batch.pk, state=Batch.State.ERRORED, is_correction=True)
        if not errored.update(state=Batch.State.SPLIT):
            return 0
        return batch.corrections.update(batch=None)


# --- from changes to corrections ---------------------------------------------------------------------------------


def _take_changes() -> bool:
    """Turn some changes into corrections; return whether there may be more."""
    if not RecordChange.objects.exists():
        return False
    with writing(), by_index():
        changes = list(RecordChange.objects.select_for_update(skip_locked=True).order_by("pk")[:CHANGES_AT_ONCE])
        people = {change.profile_id for change in changes}
        for audience_id in Audience.objects.filter(pk__in=asked.audiences_of(people)).order_by("pk").values_list("pk"):
            # A claim that read the old record and is not committed yet would be missed.
            claiming.wait_for_lane(*audience_id)
        Correction.objects.bulk_create(_corrections_of(changes, people), batch_size=1_000)
        RecordChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
    return len(changes) == CHANGES_AT_ONCE


def _corrections_of(changes: list[RecordChange], people: set[int]) -> Iterable[Correction]:
    sent: defaultdict[int, dict[int, int]] = defaultdict(dict)  # profile -> audience -> fields
    for profile_id, audience_id, mask in asked.sent_to(people):
        sent[profile_id][audience_id] = sent[profile_id].get(audience_id, 0) | mask
    kept = set(
        Audience.objects.filter(pk__in={one for found in sent.values() for one in found}).values_list("pk", flat=True)
    )
    profiles = moving.records((profile_id, 0) for profile_id in people)
    for change in changes:
        for audience_id, mask in sent[change.profile_id].items():
            if not mask & change.field or audience_id not in kept:
                continue
            found = moving.pick(profiles.get(change.profile_id), change.field)
            for record, lost in ((change.record, True), *((new, False) for new in found)):
                if record is not None:
                    yield Correction(audience_id=audience_id, profile_id=change.profile_id, record=record, lost=lost)


# --- from corrections to batches ---------------------------------------------------------------------------------


def _decide(audience_id: int, now: datetime) -> int:
    """Put the corrections of an audience that are ready into batches; return how many batches."""
    with writing(), by_index():
        claiming.wait_for_lane(audience_id)  # nothing new is under way until we commit
        open_ = Batch.objects.filter(audience_id=audience_id, settled_at=None, is_correction=True)
        free = MOST_OPEN - open_.count()
        if free <= 0:
            return 0
        partner = Audience.objects.values_list("ad_account__connection__partner", flat=True).get(pk=audience_id)
        size = limits_of(partner).records
        due: defaultdict[str, list[Correction]] = defaultdict(list)
        for one in Correction.objects.filter(audience_id=audience_id, batch=None).order_by("pk")[: free * size]:
            due[one.record].append(one)
        decided = _operations(audience_id, due)
        chosen: dict[str, list[int]] = {Operation.REMOVE: [], Operation.ADD: []}
        for record, operation in decided.items():
            if operation:
                chosen[operation].append(due[record][0].pk)
        kept = {pk for ids in chosen.values() for pk in ids}
        spent = [one.pk for record in decided for one in due[record] if one.pk not in kept]
        Correction.objects.filter(pk__in=spent).delete()
        return sum(
            _batch(audience_id, operation, ids[start : start + size], now)
            for operation, ids in chosen.items()
            for start in range(0, len(ids), size)
        )


def _operations(audience_id: int, due: dict[str, list[Correction]]) -> dict[str, str]:
    """Return what to do with those of the records that are ready: add, remove, or nothing ("")."""
    under_way = set(
        Correction.objects.filter(audience_id=audience_id, batch__settled_at=None, batch__isnull=False).values_list(
            "record", flat=True
        )
    )
    holders: defaultdict[str, dict[int, int]] = defaultdict(dict)  # record -> profile -> the fields it stands in
    people = {one.profile_id for corrections in due.values() for one in corrections}
    for profile_id, found in asked.holders(audience_id, due).items():
        people.add(profile_id)
        for place, record in enumerate(found):
            if record in due:
                holders[record][profile_id] = holders[record].get(profile_id, 0) | 1 << place
    intents: defaultdict[int, list[Intent]] = defaultdict(list)
    for intent in asked.intents(people, audience_id):
        intents[intent.profile_id].append(intent)
    waits: defaultdict[int, int] = defaultdict(int)  # profile -> the fields of what it waits for
    for operation in Operation.values:
        for arrival in moving.of_profiles(people, audience_id, operation):
            waits[arrival.profile_id] |= arrival.match_fields
    decided: dict[str, str] = {}
    for record, corrections in due.items():
        theirs = [
            intent
            for profile_id, fields in holders[record].items()
            for intent in intents[profile_id]
            if intent.match_fields & fields
        ]
        # What is under way for a profile that has lost the record may carry it still.
        busy = theirs + [intent for one in corrections for intent in intents[one.profile_id]]
        if (
            record in under_way
            or any(intent.under_way for intent in busy)
            or any(waits[profile_id] & fields for profile_id, fields in holders[record].items())
        ):
            continue
        last = max(theirs, key=lambda intent: intent.last_done, default=None)
        if last is not None and last.last_done:
            decided[record] = last.operation
        else:  # whoever has it now never was sent
            decided[record] = Operation.REMOVE if any(one.lost for one in corrections) else ""
    return decided


def _batch(audience_id: int, operation: str, ids: Collection[int], now: datetime) -> int:
    batch = Batch.objects.create(
        audience_id=audience_id,
        operation=operation,
        is_correction=True,
        users=0,
        records=len(ids),
        oldest_entered_at=now,
        gives_up_at=claiming.gives_up_at(now),
        created_at=now,
        next_attempt_at=now,
    )
    Correction.objects.filter(pk__in=ids).update(batch=batch)
    return 1
