"""A deleted audience exists again: everybody whose last intent in it was "in" is sent again.

Whoever still waits goes to the new audience without being touched. Everybody else is found through the batches that
the old one accepted, or that errored: their deliveries move into new batches, as a retry would move them, so that
nobody is counted twice and whatever is asked of them meanwhile comes later, as an arrival or a delivery of its own.

It is done in portions. Each is one transaction that holds the lane, moves a few thousand users and their figures, and
notes how far it came: a process may die at any moment, and any number of them may work at it.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet, Sum

from integrations.delivery import claiming
from integrations.delivery.counting import tally
from integrations.delivery.forecast import next_slot_in, seconds_until_sent
from integrations.delivery.limits import limits_of
from integrations.delivery.moving import among
from integrations.delivery.pacing import pace_of
from integrations.delivery.plans import by_index
from integrations.delivery.writing import writing
from integrations.errors import ContentRefused
from integrations.models import Audience, Batch, Connection, Operation, Recreation, SyncTotals
from integrations.reasons import SUPERSEDED
from pinsync.progress import Progress, progress_of

log = logging.getLogger("pinsync.audiences")

BATCHES_AT_ONCE = 500  # looked through in one transaction; most hold few users, as they go every 5 s
REQUESTS_AT_ONCE = 2  # made in one transaction, each as full as the partner allows: some 100 ms
COUNTED = 10_000  # users counted one by one while a person waits for the page


@dataclass(frozen=True)
class Forecast:
    """What recreating would mean. `users` is the most there can be unless `is_exact`."""

    users: int
    is_exact: bool
    waiting: int  # users who wait already, and go to the new audience by themselves
    requests: int
    seconds: float  # at the present pace, if nobody else sends


def forecast(audience: Audience) -> Forecast:
    """Count who would be sent again, and what that takes."""
    link = audience.ad_account.connection
    sums = _in_it(audience.pk).aggregate(users=Sum("users"), records=Sum("records"))
    users, records = sums["users"] or 0, sums["records"] or 0
    per_user = min(max(records / users, 1), 3) if users else 1
    is_exact = users <= COUNTED
    if is_exact:
        with by_index():
            users = len(_wanted(list(_in_it(audience.pk).values_list("pk", flat=True)), users))
    limits = limits_of(link.partner)
    requests = max(-(-users // limits.users), -(-int(users * per_user) // limits.records))
    slowdown = pace_of(link).slowdown
    seconds = seconds_until_sent(link.partner, requests, next_slot_in=next_slot_in(link), slowdown=slowdown)
    waiting = SyncTotals.objects.filter(sync__audience=audience.pk).aggregate(users=Sum("pending"))["users"] or 0
    return Forecast(users, is_exact, waiting, requests, seconds)


def begin(audience: Audience, user_id: int | None, now: datetime) -> bool:
    """Let a deleted audience be made anew by the next upkeep; return whether it was still gone.

    Must run in the caller's transaction. Until it exists again nothing is sent to it.
    """
    claiming.wait_for_lane(audience.pk)
    before = Audience.objects.filter(pk=audience.pk, state=Audience.State.GONE).first()
    if before is None:
        return False
    # Deleted once more before everybody was back: the new round finds them all.
    Recreation.objects.filter(audience=audience, ended_at=None).update(ended_at=now)
    Recreation.objects.create(
        audience=audience,
        asked_by_id=user_id,
        began_at=now,
        old_external_id=before.external_id or "",
        old_target_id=before.target_id,
    )
    return bool(
        Audience.objects.filter(pk=audience.pk, state=Audience.State.GONE).update(
            state=Audience.State.CREATING,
            failure="",
            external_id=None,
            target_id="",
            status="",
            size=None,
            began_at=now,
            asked_at=now,
            lease_until=now,
        )
    )


def exists_again(audience_id: int, now: datetime) -> None:
    """Note that an audience was created; if it stands for a deleted one, its users are on their way from now on.

    In the transaction that makes it READY, by one who holds the lane. Safe to repeat.
    """
    recreation = unfinished(audience_id)
    if recreation is None or recreation.made_at is not None:
        return
    # Whoever still sends to the old one has no say any more: an acceptance there is worth nothing.
    waiting: dict[str, object] = {"state": Batch.State.WAITING, "lease": None, "lease_until": None}
    clock = {"next_attempt_at": now, "gives_up_at": now + timedelta(seconds=settings.GIVE_UP_AFTER_SECONDS)}
    Batch.objects.filter(audience=audience_id, settled_at=None).update(**(waiting | clock))
    last = Batch.objects.filter(audience=audience_id).order_by("-pk").values_list("pk", flat=True).first() or 0
    users = _in_it(audience_id).filter(pk__lte=last).aggregate(users=Sum("users"))["users"] or 0
    Recreation.objects.filter(pk=recreation.pk, made_at=None).update(
        made_at=now, last_batch=last, to_look_through=users, ended_at=None if users else now
    )
    log.info("audience exists again", extra={"audience": audience_id, "users": users})


def is_wanted(audience: Audience) -> bool:
    """Return whether the audience was deleted, or could not be made anew so far."""
    if audience.state == Audience.State.GONE:
        return True
    return audience.state == Audience.State.FAILED and unfinished(audience.pk) is not None


def audiences() -> QuerySet[Recreation, int]:
    """Return the ids of the audiences that are being made anew."""
    return Recreation.objects.filter(ended_at=None).values_list("audience_id", flat=True)


def unfinished(audience_id: int) -> Recreation | None:
    return Recreation.objects.filter(audience=audience_id, ended_at=None).first()


def unfinished_of(audience_ids: Collection[int]) -> set[int]:
    """Return those of these audiences that are on their way back."""
    found = Recreation.objects.filter(audience__in=audience_ids, ended_at=None) if audience_ids else ()
    return {recreation.audience_id for recreation in found}


def latest(audience_id: int) -> Recreation | None:
    return Recreation.objects.filter(audience=audience_id).order_by("-pk").first()


def progress(recreation: Recreation, now: datetime) -> Progress | None:
    """Return how many users were looked through of about how many; None while there is no new audience yet."""
    if recreation.made_at is None:
        return None
    worked = ((recreation.ended_at or now) - recreation.made_at).total_seconds()
    return progress_of(recreation.looked_through, recreation.to_look_through, worked)


def portions(now: datetime) -> Iterator[Callable[[], int]]:
    """Yield pieces of work until everybody is on the way back."""
    # A list that was read right before the end of a creation made the audience READY; then the creation was killed.
    for audience_id in audiences().filter(made_at=None, audience__state=Audience.State.READY).order_by("audience"):
        yield partial(_finish, audience_id, now)
    to_do = Recreation.objects.filter(ended_at=None, made_at__isnull=False)
    for pk in to_do.order_by("pk").values_list("pk", flat=True):
        while to_do.filter(pk=pk).exists():
            yield partial(send_again, pk, now)


def _finish(audience_id: int, now: datetime) -> int:
    with writing():
        claiming.wait_for_lane(audience_id)
        exists_again(audience_id, now)
    return 0


def send_again(recreation_id: int, now: datetime) -> int:
    """Make the next few thousand users pending again; return how many."""
    audience_id = Recreation.objects.values_list("audience", flat=True).get(pk=recreation_id)
    with writing(), by_index(), tally(now):
        claiming.wait_for_lane(audience_id)
        at = Recreation.objects.filter(pk=recreation_id, ended_at=None, made_at__isnull=False).first()
        if at is None:
            return 0
        link = Connection.objects.get(ad_accounts__audiences=audience_id)
        size = limits_of(link.partner).users
        batches = _next_batches(at, most=size * REQUESTS_AT_ONCE)
        wanted = _wanted([pk for pk, _ in batches], size * REQUESTS_AT_ONCE)
        for start in range(0, len(wanted), size):
            _move(link.partner, audience_id, wanted[start : start + size], now)
        through, looked = _progress(at, batches, wanted, size * REQUESTS_AT_ONCE)
        Recreation.objects.filter(pk=at.pk).update(
            through_batch=through,
            looked_through=F("looked_through") + looked,
            sent_again=F("sent_again") + len(wanted),
            ended_at=now if through >= at.last_batch else None,
        )
    log.info("users sent again", extra={"audience": audience_id, "users": len(wanted)})
    return len(wanted)


def _in_it(audience_id: int) -> QuerySet[Batch]:
    """Return the batches that brought users into an audience, or would have.

    A record that the partner refused would be refused again: Retry is for whoever has corrected it.
    """
    errored = Q(state=Batch.State.ERRORED) & ~Q(reason=ContentRefused.code)
    ended = Q(state=Batch.State.ACCEPTED) | errored
    found = Batch.objects.filter(ended, audience=audience_id, operation=Operation.ADD, is_correction=False)
    return found.filter(users__gt=0).order_by("pk")


def _next_batches(at: Recreation, *, most: int) -> list[tuple[int, int]]:
    """Return id and users of the next batches to look through, of about `most` users."""
    found = _in_it(at.audience_id).filter(pk__gt=at.through_batch, pk__lte=at.last_batch)
    chosen: list[tuple[int, int]] = []
    users = 0
    for pk, its_users in found.values_list("pk", "users")[:BATCHES_AT_ONCE]:
        chosen.append((pk, its_users))
        users += its_users
        if users >= most:
            break
    return chosen


def _progress(
    at: Recreation, batches: list[tuple[int, int]], wanted: list[tuple[int, int]], most: int
) -> tuple[int, int]:
    """Return up to which batch everybody was looked at, and how many users that were."""
    users = sum(users for _, users in batches)
    if len(wanted) < most:
        is_rest = users < most and len(batches) < BATCHES_AT_ONCE
        return (at.last_batch if is_rest else batches[-1][0]), users
    last = wanted[-1][1]  # there may be more of it; those who were moved are not found in it again
    looked = sum(users for pk, users in batches if pk < last) + sum(batch_id == last for _, batch_id in wanted)
    return last - 1, looked


def _wanted(batch_ids: list[int], limit: int) -> list[tuple[int, int]]:
    """Return (delivery id, batch id) of those in these batches whose last intent was "in" and who do not wait already.

    Of someone who entered more than once, it is the last delivery.
    """
    condition, ids = among("d.batch_id", batch_ids)
    # OFFSET keeps PostgreSQL from joining: a user has few rows, found by index, and the table has millions.
    fence = "OFFSET 0" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT d.id, d.batch_id FROM integrations_delivery d WHERE {condition}"
            f" AND NOT EXISTS ({_WAITS} {fence}) AND NOT EXISTS ({_LATER} {fence})"
            " ORDER BY d.batch_id, d.id LIMIT %s",
            [ids, Operation.REMOVE, SUPERSEDED, Operation.ADD, limit],
        )
        return [(int(delivery_id), int(batch_id)) for delivery_id, batch_id in cursor.fetchall()]


_WAITS = "SELECT 1 FROM integrations_arrival a WHERE a.profile_id = d.profile_id AND a.audience_id = d.audience_id"
# A removal counts though it could not be sent, unless a later intent came before it was; an addition that was never
# sent brought nobody in.
_LATER = (
    "SELECT 1 FROM integrations_delivery l"
    " WHERE l.profile_id = d.profile_id AND l.audience_id = d.audience_id AND l.id > d.id"
    " AND ((l.operation = %s AND l.reason <> %s) OR (l.operation = %s AND l.batch_id IS NOT NULL))"
)


def _move(partner_slug: str, audience_id: int, wanted: list[tuple[int, int]], now: datetime) -> None:
    """Put users into a new batch whose 13 hours begin now; whoever stays, stays in the old ones."""
    old = {batch.pk: batch for batch in Batch.objects.filter(pk__in={batch_id for _, batch_id in wanted})}
    # Waiting for the turns of those in front spends nobody's 13 hours: an app with a quota takes days for a million.
    in_front = Batch.objects.filter(audience=audience_id, settled_at=None).count()
    turn_in = timedelta(seconds=seconds_until_sent(partner_slug, in_front + 1))
    fresh = Batch.objects.create(
        audience_id=audience_id,
        operation=Operation.ADD,
        parent_id=min(old),  # of several, the first: a batch with a parent holds deliveries that are older than it
        users=len(wanted),
        oldest_entered_at=now,
        gives_up_at=now + turn_in + timedelta(seconds=settings.GIVE_UP_AFTER_SECONDS),
        created_at=now,
        next_attempt_at=now,
    )
    chosen, ids = among("id", [delivery_id for delivery_id, _ in wanted])
    emptied, old_ids = among("id", old)
    with connection.cursor() as cursor, tally(now) as figures:
        cursor.execute(
            f"SELECT sync_id, batch_id, count(*) FROM integrations_delivery WHERE {chosen} GROUP BY sync_id, batch_id",
            [ids],
        )
        for sync_id, batch_id, users in cursor.fetchall():
            if old[batch_id].state == Batch.State.ERRORED:
                figures.move(sync_id, errored=-users, pending=users)
                figures.because(sync_id, old[batch_id].reason, -users)
            else:
                figures.move(sync_id, synced=-users, pending=users)
        cursor.execute(f"UPDATE integrations_delivery SET batch_id = %s WHERE {chosen}", [fresh.pk, ids])
        cursor.execute(f"UPDATE integrations_batch SET users = ({_MEMBERS}) WHERE {emptied}", [old_ids])
    Batch.objects.filter(pk__in=old, users=0).update(state=Batch.State.SPLIT)


_MEMBERS = "SELECT count(*) FROM integrations_delivery d WHERE d.batch_id = integrations_batch.id"
