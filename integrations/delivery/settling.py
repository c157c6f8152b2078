"""What a request's end means for its batch. The only writer of a batch's final states.

Every move is a conditional UPDATE on the lease that the sender holds: a sender that was slower than its lease changes
nothing, and only its attempt is noted.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet

from integrations.delivery.asking import Request, write_down
from integrations.delivery.counting import tally
from integrations.delivery.waiting import LONGEST, backoff
from integrations.delivery.writing import writing
from integrations.errors import PartnerError
from integrations.models import AdAccount, Audience, Batch, Delivery
from pinsync.sql import update_rows

LEASE = timedelta(seconds=60)  # of a batch; when it is over, another worker may send the batch again
LONGEST_REQUEST = timedelta(seconds=36)  # 5 s to connect, 30 s to read, and what lies between


@dataclass(frozen=True)
class Answer:
    """How an attempt to send a batch ended: accepted when `error` is None.

    Mostly one request; two when the first token was dead, none when nothing may be sent.
    """

    ended_at: datetime
    error: PartnerError | None
    requests: tuple[Request, ...] = ()
    was_well: bool = False  # audience and ad account were in order when it began: being accepted mends nothing

    @classmethod
    def to(cls, *requests: Request) -> "Answer":
        """Return how an attempt of these requests ended: as the last of them."""
        return cls(requests[-1].ended_at, requests[-1].error, requests)

    @property
    def http_status(self) -> int | None:
        """Return what the error came with, which need not be the answer to a request for records."""
        return self.error.http_status if self.error else self.requests[-1].http_status if self.requests else None

    @property
    def duration_ms(self) -> int | None:
        return self.requests[-1].duration_ms if self.requests else None


def settle(batch: Batch, answer: Answer) -> bool:
    """Keep the requests that were made and move the batch on; return whether the batch was still ours."""
    with writing():
        write_down(answer.requests, batch_id=batch.pk)
        if answer.error is None:
            return _accept(batch, answer)
        if answer.error.meaning.retried:
            return _try_later(batch, answer)
        alone = batch.users == 1 or batch.records == 1
        return _refuse_alone(batch, answer) if alone else _split(batch, answer)


def postpone(batch: Batch, wait: timedelta, *, now: datetime) -> bool:
    """Give a leased batch back without an attempt, because its turn is too far away."""
    with writing():
        return put_off(batch, wait, now=now)


def put_off(batch: Batch, wait: timedelta, *, now: datetime) -> bool:
    """Do the same in the caller's transaction."""
    return _move(batch, state=Batch.State.WAITING, next_attempt_at=now + wait, lease=None, lease_until=None)


def keep(batch: Batch, *, now: datetime) -> bool:
    """Make our lease outlast a request that starts now; return False where the batch is not ours any more.

    A request that outlasts its lease could reach the partner behind the opposite intent, which waits for the lease.
    """
    assert batch.lease_until is not None
    if now + LONGEST_REQUEST <= batch.lease_until:
        return True
    if not _move(batch, lease_until=now + LEASE):
        return False
    batch.lease_until = now + LEASE
    return True


def end_not_synced(batch: Batch, delivery_ids: Collection[int], reason: str, now: datetime) -> None:
    """Take users out of a leased batch, because there is nothing of them left to send."""
    if not delivery_ids:
        return
    gone = Delivery.objects.filter(pk__in=delivery_ids, batch=batch)
    with tally(now) as figures:
        for sync_id, users in gone.order_by().values_list("sync_id").annotate(users=Count("pk")):
            figures.move(sync_id, pending=-users, not_synced=users)
            figures.because(sync_id, reason, users)
    batch.users -= gone.update(batch=None, reason=reason)
    changes: dict[str, object] = {"users": batch.users}
    if batch.users == 0:
        changes |= {"state": Batch.State.SPLIT, "settled_at": now, "lease": None, "lease_until": None}
    _move(batch, **changes)


def split_off_expired(batch: Batch, *, entered_before: datetime, now: datetime, reason: str = "") -> Batch | None:
    """Give up the users of a batch that nobody sends who entered before a moment; return the batch they end in.

    Everybody in the batch may have: then the batch itself errors. Returns None when it changed since it was read.
    """
    reason = reason or batch.reason or PartnerError.code
    with writing():
        if batch.is_correction:
            return _give_up_correction(batch, entered_before, reason, now)
        expired = Delivery.objects.filter(batch=batch, entered_at__lte=entered_before)
        users = expired.count()
        if users == 0:
            return None
        ours = Batch.objects.filter(pk=batch.pk, state=batch.state, lease=batch.lease, users=batch.users)
        free: dict[str, object] = {"lease": None, "lease_until": None}  # of a sender that died
        if users == batch.users:
            if not ours.update(state=Batch.State.ERRORED, settled_at=now, reason=reason, **free):
                return None
            ended = batch
        else:
            oldest = Delivery.objects.filter(batch=batch, entered_at__gt=entered_before).aggregate(o=Min("entered_at"))
            kept = batch.gives_up_at - batch.oldest_entered_at
            if not ours.update(
                state=Batch.State.WAITING,
                users=batch.users - users,
                oldest_entered_at=oldest["o"],
                gives_up_at=oldest["o"] + kept,
                **free,
            ):
                return None
            ended = _child(batch, now, users=users, state=Batch.State.ERRORED, settled_at=now, reason=reason)
            expired.update(batch=ended)
        end_errored(ended, reason, now)
        return ended


def _give_up_correction(batch: Batch, before: datetime, reason: str, now: datetime) -> Batch | None:
    ours = Batch.objects.filter(pk=batch.pk, state=batch.state, lease=batch.lease, oldest_entered_at__lte=before)
    ended = ours.update(state=Batch.State.ERRORED, settled_at=now, reason=reason, lease=None, lease_until=None)
    return batch if ended else None


def end_errored(batch: Batch, reason: str, now: datetime) -> None:
    """Count the users of a batch that just became ERRORED."""
    with tally(now) as figures:
        for sync_id, users in users_by_sync(batch):
            figures.move(sync_id, pending=-users, errored=users)
            figures.because(sync_id, reason, users)


def users_by_sync(batch: Batch) -> Iterable[tuple[int, int]]:
    """Return how many users each sync has in a batch."""
    return Delivery.objects.filter(batch=batch).order_by().values_list("sync_id").annotate(users=Count("pk"))


def _move(batch: Batch, **changes: object) -> bool:
    if batch.lease is None:
        return False
    return update_rows(Batch, changes, id=batch.pk, state=Batch.State.SENDING, lease=batch.lease) == 1


def _outcome(batch: Batch, answer: Answer) -> dict[str, object]:
    return {
        "attempts": batch.attempts + 1,
        "http_status": answer.http_status,
        "duration_ms": answer.duration_ms,
        "lease": None,
        "lease_until": None,
    }


def _accept(batch: Batch, answer: Answer) -> bool:
    now = answer.ended_at
    if not _move(batch, state=Batch.State.ACCEPTED, settled_at=now, **_outcome(batch, answer)):
        return False
    with tally(now) as figures:
        for sync_id, users in batch.of_syncs or users_by_sync(batch):
            figures.move(sync_id, pending=-users, synced=users)
    if batch.is_correction:
        batch.corrections.all().delete()
    if not answer.was_well:
        _all_is_well_again(batch)
    return True


def _try_later(batch: Batch, answer: Answer) -> bool:
    error = answer.error
    assert error is not None
    # A wait of nothing is no wait; and only a rate limit may keep users longer than our own longest wait.
    wait = error.retry_after or backoff(batch.attempts + 1)
    if error.meaning.spends:
        wait = min(wait, LONGEST)
    changes = _outcome(batch, answer) | {
        "state": Batch.State.WAITING,
        "reason": error.code,
        "next_attempt_at": answer.ended_at + wait,
    }
    if not error.meaning.spends:
        # Waiting for the partner's own limit spends nobody's 13 hours, and is no failed attempt.
        changes |= {"attempts": batch.attempts, "gives_up_at": batch.gives_up_at + wait}
    return _move(batch, **changes)


def _refuse_alone(batch: Batch, answer: Answer) -> bool:
    assert answer.error is not None
    now, reason = answer.ended_at, answer.error.code
    if not _move(batch, state=Batch.State.ERRORED, settled_at=now, reason=reason, **_outcome(batch, answer)):
        return False
    end_errored(batch, reason, now)
    return True


def _split(batch: Batch, answer: Answer) -> bool:
    """Put the users into two halves; the bad record ends up alone after log2(users) rounds."""
    assert answer.error is not None
    return halve(batch, now=answer.ended_at, reason=answer.error.code, **_outcome(batch, answer))


def halve(batch: Batch, *, now: datetime, **outcome: object) -> bool:
    """Put the users of a leased batch into two halves that are sent at once; return whether it was still ours."""
    ended = {"state": Batch.State.SPLIT, "settled_at": now, "lease": None, "lease_until": None}
    if not _move(batch, **(ended | outcome)):
        return False
    members: QuerySet[Any] = Delivery.objects.filter(batch=batch)
    if batch.is_correction:
        members = batch.corrections.all()
    # Not ordered by the database, which a claim has asked to avoid sorts (plans.py): it would walk all ids there are.
    ids = sorted(members.order_by().values_list("pk", flat=True))
    middle = ids[len(ids) // 2]
    for size, part in (
        (len(ids) // 2, members.filter(pk__lt=middle)),
        (len(ids) - len(ids) // 2, members.filter(pk__gte=middle)),
    ):
        carries = {"records": size, "is_correction": True} if batch.is_correction else {"users": size}
        part.update(batch=_child(batch, now, **carries, state=Batch.State.WAITING, next_attempt_at=now))
    return True


def _child(batch: Batch, now: datetime, **fields: object) -> Batch:
    values: dict[str, object] = {
        "audience_id": batch.audience_id,
        "operation": batch.operation,
        "parent": batch,
        "users": 0,
        "oldest_entered_at": batch.oldest_entered_at,
        "gives_up_at": batch.gives_up_at,
        "created_at": now,
        "next_attempt_at": now,
    }
    return Batch.objects.create(**(values | fields))


def _all_is_well_again(batch: Batch) -> None:
    """An accepted batch proves that the audience exists and the ad account is reachable."""
    Audience.objects.filter(pk=batch.audience_id, state=Audience.State.GONE).update(
        state=Audience.State.READY, failure=""
    )
    AdAccount.objects.filter(audiences=batch.audience_id, state=AdAccount.State.LOST).update(
        state=AdAccount.State.CONNECTED
    )
