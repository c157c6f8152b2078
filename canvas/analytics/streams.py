"""Rows of the two large tables, newest first, a page at a time: every query follows an index and looks at so many rows.

Nothing here counts, and nothing is skipped over by number: a page begins below the row where the last one ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from canvas.analytics import lanes
from canvas.analytics.places import Place
from integrations.models import Arrival, AudienceSync, Batch, Delivery
from pinsync.sql import found_by_the_narrowest_index, joined_by_lookup, read_in_order

PAGE = 50
WINDOW = 10_000  # rows that one page looks at; what is rarer than that is found by going on
BATCHES = 200  # batches that one page looks into
AT_ONCE = 8_000  # users of the batches that one query looks into


@dataclass(frozen=True)
class Slice:
    """Some rows, and where the following ones begin; `cut` when the page ended because it had looked long enough."""

    rows: "Sequence[Arrival | Delivery]"
    older: Place | None
    cut: bool = False


@dataclass(frozen=True)
class Span:
    """When users entered: from `since` on and before `until`; None where it is open."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def q(self) -> Q:
        found = Q(entered_at__gte=self.since) if self.since else Q()
        return found & Q(entered_at__lt=self.until) if self.until else found


ALWAYS = Span()


def arrivals(sync: AudienceSync, place: Place, limit: int, span: Span = ALWAYS) -> Slice:
    """Return users who wait for their batch."""
    # PostgreSQL would walk through all lanes by id, whose rows lie in that order, past those of the others.
    with transaction.atomic(savepoint=False), found_by_the_narrowest_index():
        asked = lanes.lanes(sync, below=place.below, window=WINDOW)
        found = lanes.latest(sync, asked, below=place.below, limit=limit + 1, since=span.since, until=span.until)
    # No further down than the lane that had to stop first.
    floor = max((lane.floor for lane in asked), default=0)
    rows = sorted((row for row in found if row.pk >= floor), key=lambda row: -row.pk)
    if len(rows) > limit:
        return Slice(rows[:limit], Place("a", rows[limit - 1].pk))
    return Slice(rows, Place("a", floor) if floor else None, cut=bool(floor))


def deliveries(sync: AudienceSync, place: Place, limit: int, *, state: str = "", span: Span = ALWAYS) -> Slice:
    """Return users who were put into a batch or ended without one; with `state`, those whose batch has it."""
    rows = Delivery.objects.filter(sync=sync.pk).select_related("batch")
    found: list[Delivery] = []
    with transaction.atomic(savepoint=False), read_in_order():
        if state:
            with joined_by_lookup():  # few batches would be read whole, for each user
                return _in_state(rows, state, _behind(place, span), limit)
        for part in _behind(place, span):
            found += part.of(rows)[: limit + 1 - len(found)]
    return _page(found, limit)


def _in_state(rows: QuerySet[Delivery], state: str, parts: "list[_Stretch]", limit: int) -> Slice:
    found: list[Delivery] = []
    for part in parts:
        last = part.of(rows).values_list("entered_at", "pk")[WINDOW - 1 : WINDOW].first()
        for inside in part.down_to(*last) if last else [part]:
            # Not by a join: a planner would begin with all batches of the state.
            became = Subquery(Batch.objects.filter(pk=OuterRef("batch")).values("state"))
            found += inside.of(rows).annotate(became=became).filter(became=state)[: limit + 1 - len(found)]
        if last is not None and len(found) <= limit:
            return Slice(found, Place("d", last[1], at=last[0]), cut=True)
    return _page(found, limit)


def not_synced(sync: AudienceSync, reasons: Iterable[str], place: Place, limit: int, *, span: Span = ALWAYS) -> Slice:
    """Return users who ended without a batch, for these reasons."""
    parts = [
        # `>` so that the partial index fits
        part.of(Delivery.objects.filter(sync=sync.pk, reason=reason).filter(reason__gt=""))[: limit + 1]
        for reason in reasons
        for part in _behind(place, span)
    ]
    with transaction.atomic(savepoint=False), read_in_order():
        found = _together(parts)
    return _page(sorted(found, key=lambda row: (row.entered_at, row.pk), reverse=True), limit)


def by_batch(sync: AudienceSync, which: Q, place: Place, limit: int, *, reason: str = "", span: Span = ALWAYS) -> Slice:
    """Return the sync's users in some batches, newest batch first: where few batches are such."""
    audiences = [audience for audience, _floor in lanes.fed_audiences(sync)]
    batches = Batch.objects.filter(which, audience__in=audiences).order_by("-id")
    if reason:
        batches = batches.filter(reason=reason)
    if span.since:
        batches = batches.filter(created_at__gte=span.since)
    if place.batch:  # without an id, all of its users were looked at
        batches = batches.filter(id__lte=place.batch) if place.id else batches.filter(id__lt=place.batch)
    sizes = list(batches.values_list("id", "users")[:BATCHES])
    found: list[Delivery] = []
    looked = 0
    for ids in _groups(sizes):
        members = Delivery.objects.filter(span.q, sync=sync.pk, batch__in=ids).select_related("batch")
        if place.batch in ids:
            members = members.exclude(batch=place.batch, id__gte=place.id)
        found += members.order_by("-batch_id", "-id")[: limit + 1 - len(found)]
        looked += len(ids)
        if len(found) > limit:
            last = found[limit - 1]
            return Slice(found[:limit], Place("b", last.pk, last.batch_id or 0))
        if sum(users for _, users in sizes[:looked]) >= WINDOW:
            break
    if looked < len(sizes) or len(sizes) == BATCHES:
        return Slice(found, Place("b", 0, sizes[looked - 1][0]), cut=True)
    return Slice(found, None)


def of_one_batch(sync: AudienceSync, batch: int, place: Place, limit: int, *, span: Span = ALWAYS) -> Slice:
    """Return the sync's users in one batch."""
    rows = members(batch).filter(span.q, sync=sync.pk)
    found = list((rows.filter(id__lt=place.id) if place.id else rows)[: limit + 1])
    return Slice(found[:limit], Place("b", found[limit - 1].pk, batch) if len(found) > limit else None)


def members(batch: int) -> QuerySet[Delivery]:
    """Return the users of a batch, newest first."""
    # The sum keeps PostgreSQL from walking down all deliveries by id until it meets those of an old batch.
    return Delivery.objects.filter(batch=batch).select_related("batch").order_by((F("id") + 0).desc())


def same_person(profile_ids: Iterable[int], waiting: Q | None, sent: Q) -> "list[Arrival | Delivery]":
    """Return the latest rows of these profiles, by the index on (profile, audience); None: of no arrivals."""
    ids = list(profile_ids)
    newest = (F("id") + 0).desc()  # as in `members`
    found: list[Arrival | Delivery] = []
    if waiting is not None:
        found += Arrival.objects.filter(waiting, profile__in=ids).order_by(newest)[: 2 * PAGE]
    found += Delivery.objects.filter(sent, profile__in=ids).select_related("batch").order_by(newest)[: 2 * PAGE]
    return found


@dataclass(frozen=True)
class _Stretch:
    """Deliveries between two bounds, newest first. One on each side: of two, SQLite goes by the first that it finds."""

    newest: Q
    oldest: Q
    order: tuple[str, ...] = ("-entered_at", "-id")

    def of(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return rows.filter(self.newest, self.oldest).order_by(*self.order)

    def down_to(self, at: datetime, pk: int) -> "list[_Stretch]":
        """Return this stretch down to one of its rows: what is newer, and the rest of its moment."""
        if self.order == ("-id",):
            return [replace(self, oldest=Q(id__gte=pk))]
        return [replace(self, oldest=Q(entered_at__gt=at)), _Stretch(Q(entered_at=at), Q(id__gte=pk), ("-id",))]


def _behind(place: Place, span: Span) -> list[_Stretch]:
    """Return what follows a place, by time of entry and id: first the rest of its moment, then all before it.

    Asked in two, as SQLite would go through all of a moment, and a launch lets millions in at one.
    """
    oldest = Q(entered_at__gte=span.since) if span.since else Q()
    if place.at is None or (span.until and place.at >= span.until):
        return [_Stretch(Q(entered_at__lt=span.until) if span.until else Q(), oldest)]
    if span.since and place.at < span.since:
        return []
    same = _Stretch(Q(entered_at=place.at, id__lt=place.id), Q(), ("-id",))
    return [same, _Stretch(Q(entered_at__lt=place.at), oldest)]


def _together(parts: Sequence[QuerySet[Delivery]]) -> list[Delivery]:
    """Return the rows of all parts, asked for in one statement; each keeps its own order and limit."""
    asked = [part.query.get_compiler(connection=connection).as_sql() for part in parts]
    query = " UNION ALL ".join(f"SELECT * FROM ({sql}) part_{number}" for number, (sql, _) in enumerate(asked))
    return list(Delivery.objects.raw(query, [param for _, params in asked for param in params])) if asked else []


def _page(found: list[Delivery], limit: int) -> Slice:
    if len(found) <= limit:
        return Slice(found, None)
    last = found[limit - 1]
    return Slice(found[:limit], Place("d", last.pk, at=last.entered_at))


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
