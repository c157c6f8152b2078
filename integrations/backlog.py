"""Who is pending for each connection, and since when, without counting a large table."""

from datetime import datetime

from django.db.models import Min, Sum

from integrations.delivery import lanes
from integrations.models import Audience, Batch, SyncTotals


def pending_by_connection() -> dict[int, int]:
    """Return how many users are pending for each connection, where there are any."""
    rows = SyncTotals.objects.filter(pending__gt=0, sync__audience__isnull=False).order_by()
    return dict(rows.values_list("sync__audience__ad_account__connection").annotate(users=Sum("pending")))


def oldest_by_connection() -> dict[int, datetime]:
    """Return when the user entered who has waited longest for each connection."""
    open_ = Batch.objects.filter(settled_at=None, state__in=Batch.OPEN, is_correction=False).order_by()
    found: dict[int, datetime] = dict(
        open_.values_list("audience__ad_account__connection").annotate(oldest=Min("oldest_entered_at"))
    )
    waiting = lanes.oldest_entries()
    audiences = Audience.objects.filter(pk__in={audience_id for audience_id, _ in waiting}).order_by()
    connections = dict(audiences.values_list("pk", "ad_account__connection"))
    for (audience_id, _), moment in waiting.items():
        link = connections.get(audience_id)
        if link is not None:
            found[link] = min(moment, found.get(link, moment))
    return found
