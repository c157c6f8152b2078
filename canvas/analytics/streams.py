"""Rows of the two large tables, newest first, a page at a time: every query follows an index and looks at so many rows.

Nothing here counts, and nothing is skipped over by number: a page begins below the row where the last one ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Model, Q, QuerySet

from canvas.analytics.places import Place
from integrations.models import AdAccount, Arrival, Audience, AudienceSync, Batch, Connection, Delivery, Operation

PAGE = 50
WINDOW = 20_000  # rows that one page looks at; what is rarer than that is found by going on
BATCHES = 200  # batches that one page looks into
AT_ONCE = 4_000  # users of the batches that one query looks into


@dataclass(frozen=True)
class Slice:
    """Some rows, and where the following ones begin; `cut` when the page ended because it had looked long enough."""

    rows: "Sequence[Arrival | Delivery]"
    older: Place | None
    cut: bool = False


def arrivals(sync: AudienceSync, place: Place, limit: int) -> Slice:
    """Return users who wait for their batch. Arrivals are indexed by lane, so each lane of the workspace is asked."""
    lanes = [(audience, operation) for audience in waiting_audiences(sync) for operation in Operation.values]
    found: list[Arrival] = []
    floors = []
    for audience, operation in lanes:
        lane = Arrival.objects.filter(audience=audience, operation=operation, id__lt=place.below).order_by("-id")
        floor = _floor(lane)
        floors.append(floor)
        found += lane.filter(sync=sync.pk, id__gte=floor)[: limit + 1]
    return _merge(found, floors, "a", limit)


def deliveries(sync: AudienceSync, place: Place, limit: int, *, state: str = "") -> Slice:
    """Return users who were put into a batch or ended without one; with `state`, those whose batch has it."""
    rows = Delivery.objects.filter(sync=sync.pk, id__lt=place.below).order_by("-id").select_related("batch")
    if not state:
        return _merge(list(rows[: limit + 1]), [], "d", limit)
    floor = _floor(rows)
    return _merge(list(rows.filter(id__gte=floor, batch__state=state)[: limit + 1]), [floor], "d", limit)


def not_synced(sync: AudienceSync, reasons: Iterable[str], place: Place, limit: int) -> Slice:
    """Return users who ended without a batch, for these reasons."""
    found: list[Delivery] = []
    for reason in reasons:
        rows = Delivery.objects.filter(sync=sync.pk, reason=reason, id__lt=place.below)
        found += rows.filter(reason__gt="").order_by("-id")[: limit + 1]  # `>` so that the partial index fits
    return _merge(found, [], "d", limit)


def by_batch(sync: AudienceSync, states: Sequence[str], place: Place, limit: int, *, reason: str = "") -> Slice:
    """Return the sync's users in batches of these states, newest batch first: for states that few batches have."""
    batches = Batch.objects.filter(audience__in=fed_audiences(sync), state__in=states).order_by("-id")
    if reason:
        batches = batches.filter(reason=reason)
    if place.batch:
        batches = batches.filter(id__lte=place.batch)
    sizes = list(batches.values_list("id", "users")[:BATCHES])
    found: list[Delivery] = []
    looked = 0
    for ids in _groups(sizes):
        members = Delivery.objects.filter(sync=sync.pk, batch__in=ids).select_related("batch")
        if place.batch in ids and place.id:
            members = members.exclude(batch=place.batch, id__gte=place.id)
        found += members.order_by("-batch_id", "-id")[: limit + 1 - len(found)]
        looked += len(ids)
        if len(found) > limit:
            last = found[limit - 1]
            return Slice(found[:limit], Place("b", last.pk, last.batch_id or 0))
        if sum(users for _, users in sizes[:looked]) >= WINDOW:
            break
    if looked < len(sizes) or len(sizes) == BATCHES:
        return Slice(found, Place("b", 1, sizes[looked - 1][0]), cut=True)
    return Slice(found, None)


def waiting_audiences(sync: AudienceSync) -> list[int]:
    """Return the audiences of the workspace for which anybody waits: the step may have named another one before."""
    return _audiences(sync, Arrival)


def fed_audiences(sync: AudienceSync) -> list[int]:
    """Return the audiences of the workspace to which anything was sent."""
    return _audiences(sync, Batch)


def _audiences(sync: AudienceSync, model: type[Model]) -> list[int]:
    """Skip from audience to audience through the index.

    EXISTS for each audience would do, until a planner that knows few of them reads the whole table for one that has
    no rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(_AUDIENCES.format(table=connection.ops.quote_name(model._meta.db_table)), [sync.workspace_id])
        return [row[0] for row in cursor.fetchall()]


_AUDIENCES = f"""
WITH RECURSIVE ours(id) AS (
    SELECT u.id FROM {Audience._meta.db_table} u
    JOIN {AdAccount._meta.db_table} t ON t.id = u.ad_account_id
    JOIN {Connection._meta.db_table} c ON c.id = t.connection_id AND c.workspace_id = %s
), used(id) AS (
    SELECT (SELECT min(x.audience_id) FROM {{table}} x WHERE x.audience_id >= first.id)
    FROM (SELECT min(id) AS id FROM ours) first
    UNION ALL
    SELECT (SELECT min(x.audience_id) FROM {{table}} x WHERE x.audience_id > used.id)
    FROM used WHERE used.id < (SELECT max(id) FROM ours)
)
SELECT id FROM used WHERE id IN (SELECT id FROM ours) ORDER BY id
"""


def _floor(rows: "QuerySet[Arrival] | QuerySet[Delivery]") -> int:
    """Return the id of the last row of the window, 0 when there are no more rows than that."""
    return rows.values_list("pk", flat=True)[WINDOW - 1 : WINDOW].first() or 0


def _merge(found: "Sequence[Arrival | Delivery]", floors: Iterable[int], table: str, limit: int) -> Slice:
    """Join what several queries found, no further down than the one that had to stop first looked."""
    floor = max(floors, default=0)
    rows = sorted((row for row in found if row.pk >= floor), key=lambda row: -row.pk)
    if len(rows) > limit:
        return Slice(rows[:limit], Place(table, rows[limit - 1].pk))
    return Slice(rows, Place(table, floor) if floor else None, cut=bool(floor))


def _groups(sizes: Sequence[tuple[int, int]]) -> Iterable[list[int]]:
    """Yield the ids of batches that together have so many users, or of one that has more."""
    group: list[int] = []
    users = 0
    for pk, size in sizes:
        if group and users + size > AT_ONCE:
            yield group
            group, users = [], 0
        group.append(pk)
        users += size
    if group:
        yield group


def same_person(profile_ids: Iterable[int], wanted: Q) -> "list[Arrival | Delivery]":
    """Return the latest rows of these profiles, by the index on (profile, audience)."""
    ids = list(profile_ids)
    waiting = Arrival.objects.filter(wanted, profile__in=ids).order_by("-id")[: 2 * PAGE]
    sent = Delivery.objects.filter(wanted, profile__in=ids).select_related("batch").order_by("-id")[: 2 * PAGE]
    return [*waiting, *sent]
