"""The road of one claimed batch: its request, what the answer teaches, and its end.

No transaction is open while a socket is: claim and settle are transactions of their own around the request.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from integrations import registry
from integrations.delivery import pacing, settling
from integrations.delivery.asking import Request, in_turn, write_down
from integrations.delivery.reading import in_background, reads_of
from integrations.errors import Follows, PartnerError, Told
from integrations.models import AdAccount, Audience, Batch, Connection
from integrations.tokens import with_live
from pinsync.sql import prepared

log = logging.getLogger("pinsync.delivery")


class _LeaseLost(Exception):
    """Turns, refreshed tokens and repeated calls took so long that another sender has the batch."""


class _Destination(NamedTuple):
    """An audience and its ad account, as far as a request needs them; by hand, as this is asked for every batch."""

    id: int
    state: str
    external_id: str | None
    target_id: str
    ad_account_id: int
    account_external_id: str
    account_state: str
    connection_id: int

    @classmethod
    def of(cls, audience_id: int) -> "_Destination":
        """Raises Audience.DoesNotExist."""
        with prepared() as cursor:
            cursor.execute(_DESTINATION, [audience_id])
            row = cursor.fetchone()
        if row is None:
            raise Audience.DoesNotExist
        return cls(*row)


_DESTINATION = """
SELECT u.id, u.state, u.external_id, u.target_id, t.id, t.external_id, t.state, t.connection_id
FROM integrations_audience u JOIN integrations_adaccount t ON t.id = u.ad_account_id WHERE u.id = %s
"""


def send(batch: Batch, records: list[str], *, clock: Callable[[], datetime] = timezone.now) -> bool:
    """Send a claimed batch in one request and settle it; return whether it was accepted.

    Waits up to 2 s for its turn; `clock` tells the time before and after, and is the one by which the batch was
    claimed. Safe to repeat: adding someone twice changes nothing at the partner.
    """
    audience = _Destination.of(batch.audience_id)
    if audience.state == Audience.State.CREATING:  # a deleted one is being made anew, and has no ids yet
        settling.postpone(batch, timedelta(seconds=settings.TICK_SECONDS), now=clock())
        return False
    made: list[Request] = []

    def still_ours() -> None:
        if not settling.keep(batch, now=clock()):
            raise _LeaseLost

    def request(live: Connection) -> None:
        partner = registry.partner(live.partner)
        if audience.state == Audience.State.GONE:
            # What an audience stands on may outlive it, and would go on taking users.
            with in_background(), reads_of(live.partner, live.partner_user_id):
                partner.audience(live.access_token, audience.account_external_id, audience.external_id or "")
        with in_turn(made, pacing.pace_of(live), clock, check=still_ours):
            receipt = partner.send(
                live.access_token,
                audience.account_external_id,
                audience.target_id,
                "add" if batch.operation == "add" else "remove",
                records,
            )
        made[-1].http_status = receipt.http_status

    error: PartnerError | None = None
    try:
        if records:
            with_live(audience.connection_id, request, clock())
    except pacing.TurnTooFar as far:
        write_down(made, batch_id=batch.pk)
        settling.postpone(batch, timedelta(seconds=far.seconds), now=clock())
        return False
    except _LeaseLost:
        write_down(made, batch_id=batch.pk)
        log.warning("lease lost before a request", extra={"batch": batch.pk, "audience": audience.id})
        return False
    except PartnerError as raised:
        error = raised
    ended = clock()
    if error is not None:
        _learn(error, audience)
    was_well = audience.state == Audience.State.READY and audience.account_state == AdAccount.State.CONNECTED
    answer = settling.Answer(ended, error, tuple(made), was_well)
    ours = settling.settle(batch, answer)
    log.log(
        logging.INFO if error is None or error.meaning.told is Told.NOBODY else logging.WARNING,
        "batch settled",
        extra={
            "batch": batch.pk,
            "audience": audience.id,
            "operation": batch.operation,
            "users": batch.users,
            "records": len(records),
            "outcome": error.code if error else "accepted",
            "http_status": answer.http_status,
            "requests": len(made),
            "seconds": round((answer.duration_ms or 0) / 1000, 3),
            "ours": ours,
        },
    )
    return error is None


def _learn(error: PartnerError, audience: _Destination) -> None:
    """Take from an answer what concerns more than its batch; the pace and the connection have learned before."""
    follows = error.meaning.follows
    if follows is Follows.AUDIENCE_GONE:
        # Not if it was made anew meanwhile: what is gone is the one that this request went to.
        Audience.objects.filter(pk=audience.id, target_id=audience.target_id, state=Audience.State.READY).update(
            state=Audience.State.GONE, failure=error.code
        )
    elif follows is Follows.AD_ACCOUNT_LOST:
        AdAccount.objects.filter(pk=audience.ad_account_id, state=AdAccount.State.CONNECTED).update(
            state=AdAccount.State.LOST
        )
