"""The batches in which a step's users were sent, newest first, a page at a time."""

from dataclasses import dataclass

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from canvas.analytics import lanes
from canvas.analytics.batches import why
from canvas.analytics.places import LARGEST
from integrations import registry
from integrations.models import AudienceSync, Batch, Delivery
from integrations.reasons import Reason
from pinsync.sql import read_in_order

PAGE = 50
WINDOW = 2_000  # batches of an audience that one page looks at: other steps may feed it, too
# What became of a batch; of one that was split, the users are in others. The SQL is ours: indexes are over it.
OUTCOMES: dict[str, tuple[str | Promise, str]] = {
    "": (_("All batches"), ""),
    "accepted": (_("Accepted"), " AND state = 'accepted'"),
    "open": (_("Under way"), " AND settled_at IS NULL"),
    "errored": (_("Errored"), " AND state = 'errored'"),
}
FEW = ("open", "errored")  # found by an index of their own


@dataclass(frozen=True)
class BatchLine:
    """A batch of the list, and why its last attempt failed, unless it was accepted."""

    batch: Batch
    reason: Reason | None


@dataclass(frozen=True)
class BatchesPage:
    """Some batches; `older` is behind which one to go on, 0 on the last page. `cut`: this page had looked enough."""

    lines: list[BatchLine]
    older: int
    cut: bool = False


def batches(sync: AudienceSync, outcome: str = "", *, before: int = 0) -> BatchesPage:
    """Return a page of the batches with users of a sync in them. The cost does not grow with their number."""
    with transaction.atomic(savepoint=False), read_in_order():
        return _page(sync, outcome, before or LARGEST)


def _page(sync: AudienceSync, outcome: str, below: int) -> BatchesPage:
    floors = lanes.fed_audiences(sync, below=below, window=0 if outcome in FEW else WINDOW)
    found: list[Batch] = []
    for start in range(0, len(floors), lanes.AT_ONCE):
        some = floors[start : start + lanes.AT_ONCE]
        parts = [_BATCHES.format(outcome=OUTCOMES[outcome][1], number=number) for number in range(len(some))]
        params = [value for audience, floor in some for value in (audience, below, floor, sync.pk, PAGE + 1)]
        found += Batch.objects.raw(" UNION ALL ".join(parts), params)
    # No further down than the audience that had to stop first.
    floor = max((floor for _audience, floor in floors), default=0)
    rows = sorted((batch for batch in found if batch.pk >= floor), key=lambda batch: -batch.pk)
    called = registry.name_of(sync.partner)
    lines = [BatchLine(batch, why(batch, called)) for batch in rows[:PAGE]]
    if len(rows) > PAGE:
        return BatchesPage(lines, rows[PAGE - 1].pk)
    return BatchesPage(lines, floor, cut=bool(floor))


_TABLE, _MEMBERS = Batch._meta.db_table, Delivery._meta.db_table
_BATCHES = (
    f"SELECT * FROM (SELECT * FROM {_TABLE} WHERE audience_id = %s AND id < %s AND id >= %s{{outcome}} AND EXISTS"
    f" (SELECT 1 FROM {_MEMBERS} WHERE batch_id = {_TABLE}.id AND sync_id = %s)"
    " ORDER BY id DESC LIMIT %s) part_{number}"
)
