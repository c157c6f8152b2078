"""After 13 hours a user is given up: errored, with the last reason, kept for Retry."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from integrations.delivery import claiming, lanes, moving, order, settling
from integrations.delivery.counting import tally
from integrations.delivery.plans import by_index
from integrations.delivery.rationing import quota_of
from integrations.delivery.writing import writing
from integrations.errors import RateLimited
from integrations.models import AdAccount, Arrival, Audience, Batch, Connection, Pace
from integrations.reasons import AUDIENCE_REMOVED

log = logging.getLogger("pinsync.delivery")

AT_ONCE = 10_000  # users given up in one transaction


def give_up(now: datetime) -> int:
    """Give up everybody whose time is over; return how many batches and groups of arrivals that were."""
    ended = 0
    # A batch whose sender died is nobody's, too: it may be that nothing may be sent and no other takes it up.
    nobodys = Q(state=Batch.State.WAITING) | Q(state=Batch.State.SENDING, lease_until__lte=now)
    spent = _spent_on_limits(now)
    for batch in Batch.objects.filter(nobodys, settled_at=None, gives_up_at__lte=now):
        try:
            # For a batch that was retried the clock began at the retry, so all of its users are due together.
            before = now - (batch.gives_up_at - batch.oldest_entered_at) - _share(spent, batch.audience_id)
            reason = batch.reason or why_waiting(batch.audience_id, batch.operation)
            ended += settling.split_off_expired(batch, entered_before=before, reason=reason, now=now) is not None
        except Exception:  # the others' time is over, too, and delivery goes on behind this
            log.exception("giving up failed", extra={"batch": batch.pk})
    before = now - timedelta(seconds=settings.GIVE_UP_AFTER_SECONDS)
    waiting = lanes.oldest_entries()
    known = set(Audience.objects.filter(pk__in={lane[0] for lane in waiting}).values_list("pk", flat=True))
    for (audience_id, operation), oldest in waiting.items():
        if audience_id in known and (oldest > before or _waits_for_quota(audience_id, operation)):
            continue
        try:
            if audience_id not in known:
                ended += _end_removed(audience_id, operation, now)
                continue
            while _give_up_arrivals(audience_id, operation, before - _share(spent, audience_id), now):
                ended += 1
        except Exception:  # as above
            log.exception("giving up failed", extra={"audience": audience_id})
    return ended


def _spent_on_limits(now: datetime) -> dict[tuple[str, str], timedelta]:
    """Return by partner user for how long the partner's limit held up those whose time might be over now."""
    horizon = now.timestamp() - settings.GIVE_UP_AFTER_SECONDS
    found: dict[tuple[str, str], timedelta] = {}
    for pace in Pace.objects.filter(blocked_at__gt=0):
        seconds = min(pace.blocked_until, now.timestamp()) - pace.blocked_at
        if seconds > 0 and pace.blocked_until > horizon - seconds:
            found[pace.partner, pace.partner_user_id] = timedelta(seconds=seconds)
    return found


def _share(spent: dict[tuple[str, str], timedelta], audience_id: int) -> timedelta:
    if not spent:
        return timedelta()
    link = Connection.objects.filter(ad_accounts__audiences=audience_id).first()
    return spent.get((link.partner, link.partner_user_id), timedelta()) if link else timedelta()


def _waits_for_quota(audience_id: int, operation: str) -> bool:
    """Return whether nothing holds a lane up but that the whole app may make so few requests."""
    audience = Audience.objects.select_related("ad_account__connection").filter(pk=audience_id).first()
    if audience is None or quota_of(audience.ad_account.connection.partner) is None:
        return False
    open_ = Batch.objects.filter(audience_id=audience_id, operation=operation, settled_at=None)
    return (
        audience.state == Audience.State.READY
        and audience.ad_account.state == AdAccount.State.CONNECTED
        and audience.ad_account.connection.may_call
        and not open_.exclude(reason__in=("", RateLimited.code)).exists()
    )


def _give_up_arrivals(audience_id: int, operation: str, before: datetime, now: datetime) -> bool:
    """End the oldest expired arrivals of a lane in a batch of their own; return whether there were any."""
    with writing(), by_index(), tally(now):
        expired = claiming.take_expired(audience_id, operation, before, AT_ONCE, now)
        if not expired:
            return False
        # Of opposite intents only the last may be retried one day; and whose twin waits in the other lane ends behind
        # the twin: a retry goes by the order of deliveries.
        wanted = order.collapse(expired, audience_id, operation, now)
        held = order.held_up(wanted, audience_id, operation, by_deliveries=False)
        ended = [arrival for arrival in wanted if arrival.id not in held]
        if not ended:
            return len(wanted) < len(expired)
        batch = Batch.objects.create(
            audience_id=audience_id,
            operation=operation,
            state=Batch.State.ERRORED,
            users=len(ended),
            oldest_entered_at=moving.oldest_entry(ended),
            gives_up_at=now,
            created_at=now,
            next_attempt_at=now,
            settled_at=now,
            reason=why_waiting(audience_id, operation),
        )
        moving.move_waiting(ended, batch_id=batch.pk)
        settling.end_errored(batch, batch.reason, now)
    return True


def _end_removed(audience_id: int, operation: str, now: datetime) -> int:
    """End everybody who waits for an audience that has no row any more; return in how many groups.

    There is nothing to send them to, and no lane to hold: the arrivals themselves are locked.
    """
    lane = Arrival.objects.filter(audience=audience_id, operation=operation).order_by("audience_id", "operation", "id")
    groups = 0
    while True:
        with writing(), by_index(), tally(now):
            ids = list(lane.select_for_update(skip_locked=True).values_list("pk", flat=True)[:AT_ONCE])
            order.end_not_synced(ids, AUDIENCE_REMOVED, now)
        if not ids:
            return groups
        groups += 1


def why_waiting(audience_id: int, operation: str) -> str:
    """Return the code of what holds a lane up (reasons.py)."""
    audience = Audience.objects.select_related("ad_account__connection").filter(pk=audience_id).first()
    if audience is None:  # its row was deleted a moment ago
        return "audience_gone"
    account, link = audience.ad_account, audience.ad_account.connection
    if link.state != Connection.State.CONNECTED:
        return "invalid_token"
    if audience.state != Audience.State.READY:  # gone, or being made anew
        return "audience_gone"
    if account.state != AdAccount.State.CONNECTED:
        return "ad_account_access"
    last = (
        Batch.objects.filter(audience_id=audience_id, operation=operation, settled_at=None, reason__gt="")
        .order_by("-pk")
        .values_list("reason", flat=True)
        .first()
    )
    return last or "partner_unavailable"
