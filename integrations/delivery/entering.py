"""Users enter a sync: at once not synced, or pending. Set-wise, in the transaction of whoever lets them in."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django_q.tasks import async_task

from integrations.delivery.counting import tally
from integrations.delivery.limits import limits_of
from integrations.models import Arrival, AudienceSync, Delivery
from integrations.reasons import NO_USABLE_FIELD
from pinsync.profiles.matching import RECORD_COLUMNS, MatchField
from pinsync.profiles.models import Profile
from pinsync.sql import Rows, insert_either


@dataclass(frozen=True)
class Entered:
    """How many users entered a sync, and what became of them at once."""

    entered: int
    pending: int
    not_synced: int


def usable(mask: MatchField) -> Q:
    """Return the condition on Profile: at least one record in the fields of `mask`."""
    condition = Q(pk__in=[])
    for name in mask.names:
        condition |= Q(**{f"{RECORD_COLUMNS[name]}__isnull": False})
    return condition


def enter(sync: AudienceSync, profiles: QuerySet[Profile], *, now: datetime) -> Entered:
    """Let every profile of the queryset enter `sync`; each one is not synced or pending when this returns.

    The same few statements, whatever the number of users. Must run in the caller's transaction. A full batch rings
    the workers when that commits; fewer users wait for the next tick.
    Raises ValueError when the sync has no audience.
    """
    if sync.audience_id is None:
        raise ValueError(f"{sync} has no audience.")
    with tally(now) as figures:
        asked = {
            "sync": sync.pk,
            "audience": sync.audience_id,
            "operation": sync.operation,
            "match_fields": sync.match_fields,
            "entered_at": now,
        }
        pending, not_synced = insert_either(
            profiles,
            usable(MatchField(sync.match_fields)),
            so=Rows(Arrival, "profile", asked),
            otherwise=Rows(Delivery, "profile", {**asked, "reason": NO_USABLE_FIELD}),
        )
        figures.move(sync.pk, entered=pending + not_synced, pending=pending, not_synced=not_synced)
        figures.because(sync.pk, NO_USABLE_FIELD, not_synced)
    if pending >= limits_of(sync.partner).users:
        transaction.on_commit(ring)
    return Entered(pending + not_synced, pending, not_synced)


def ring() -> None:
    """Ask a worker to deliver now. A doorbell: losing it costs one tick, ringing twice costs nothing."""
    async_task("integrations.tasks.deliver", save=False)
