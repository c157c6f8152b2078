"""What delivery does to users, without a partner: its own functions, from the claim on."""

from datetime import timedelta

from integrations.delivery import claiming, settling
from integrations.delivery.asking import Request
from integrations.delivery.limits import Limits
from integrations.delivery.pacing import pace_of
from integrations.delivery.settling import Answer
from integrations.errors import AudienceGone, ContentRefused, PartnerError, Unavailable
from integrations.models import Batch

ERRORS: dict[str, PartnerError] = {
    "record_refused": ContentRefused(http_status=400),
    "audience_gone": AudienceGone(http_status=404),
    "partner_unavailable": Unavailable(http_status=503),
}
SECOND = timedelta(seconds=1)


def settle(sync, users, *, now, error=None) -> Batch:
    """Send the next `users` in one batch, with this end: accepted without `error`."""
    limits = Limits(users=users, records=3 * users)
    claim = claiming.claim(sync.audience_id, sync.operation, limits=limits, fresh=True, now=now)
    assert claim is not None
    assert claim.batch.users == users
    status = error.http_status if error else 200
    request = Request(pace_of(sync.ad_account.connection), now, now + SECOND, status, error)
    assert settling.settle(claim.batch, Answer.to(request))
    return Batch.objects.get(pk=claim.batch.pk)


def waiting(sync, users, *, now, reason) -> Batch:
    """Have the next `users` wait for another attempt."""
    return settle(sync, users, now=now, error=ERRORS[reason])


def errored(sync, users, *, now, reason) -> Batch:
    """Have the next `users` given up."""
    batch = settle(sync, users, now=now, error=ERRORS[reason])
    if batch.state == Batch.State.WAITING:
        settling.split_off_expired(batch, entered_before=now, now=now + SECOND)
    batch.refresh_from_db()
    assert batch.state == Batch.State.ERRORED
    return batch
