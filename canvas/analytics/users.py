"""The users behind a number: who, why, when, and in which batch."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.functional import Promise

from canvas.analytics import streams
from canvas.analytics.places import Place, read_place
from canvas.analytics.streams import ALWAYS, PAGE, Slice, Span
from canvas.models import Entry, Step
from integrations import registry
from integrations.models import Arrival, AudienceSync, Batch, Delivery, SyncTotals
from integrations.reasons import NOT_SYNCED, Reason, reason
from pinsync.profiles.finding import search
from pinsync.profiles.models import Profile

STATES = ("entered", "synced", "not_synced", "pending", "errored")
RARE = 100  # a state of less than one in so many users is looked for batch by batch
BATCH_STATES = {
    Batch.State.ACCEPTED: "synced",
    Batch.State.ERRORED: "errored",
    Batch.State.WAITING: "pending",
    Batch.State.SENDING: "pending",
    Batch.State.SPLIT: "pending",
}


@dataclass(frozen=True)
class UserLine:
    """One user who entered a step, and what became of them; never an address."""

    profile_id: int
    label: str
    exists: bool  # the profile was not deleted since
    state: str  # of STATES without "entered", or "waiting"
    reason: Reason | None
    entered_at: datetime
    batch: Batch | None = None
    delivery_id: int | None = None
    sync_id: int | None = None
    audience_id: int | None = None
    operation: str | Promise = ""
    due_at: datetime | None = None


@dataclass(frozen=True)
class UsersPage:
    """Some users; `older` asks for the following ones and is "" on the last page. See Slice for `cut`."""

    lines: list[UserLine]
    older: str
    cut: bool = False


@dataclass(frozen=True)
class Wanted:
    """Which users of a step: in one of STATES, for a reason, in a batch, who entered in a span of time."""

    state: str = "entered"
    why: str = ""
    batch: int | None = None
    span: Span = ALWAYS


def users(step: Step, wanted: Wanted, *, after: str = "") -> UsersPage:
    """Return a page of the users of a step.

    The cost does not grow with the number of users.
    """
    sync = step.sync
    if sync is None:
        return waiting(step, wanted.span, after)
    found = _slice(sync, wanted, after)
    return UsersPage(lines_of(found.rows, sync.partner), str(found.older or ""), found.cut)


def find(step: Step, text: str, wanted: Wanted) -> list[UserLine]:
    """Return what became of the users with this external ID in a step."""
    profiles = search(step.canvas.workspace, text)
    if step.sync is None:
        entries = Entry.objects.filter(
            wanted.span.q, step=step, state=Entry.State.WAITING, profile__in=[p.pk for p in profiles]
        )
        return _waiting_lines(entries[:PAGE])
    ours = Q(sync=step.sync_id) & wanted.span.q
    may_wait = wanted.state in ("entered", "pending") and not wanted.why and wanted.batch is None
    rows = streams.same_person([p.pk for p in profiles], ours if may_wait else None, ours & _sent(wanted))
    return lines_of(rows, step.sync.partner)


def _sent(wanted: Wanted) -> Q:
    """Return the condition on the deliveries of those who are wanted."""
    found = Q()
    if wanted.state == "not_synced":
        found &= Q(batch=None)
    elif wanted.state != "entered":
        found &= Q(batch__state__in=[state for state, name in BATCH_STATES.items() if name == wanted.state])
    if wanted.why:
        refused = Q(batch__reason=wanted.why) & ~Q(batch__state=Batch.State.ACCEPTED)
        found &= Q(reason=wanted.why) | refused
    if wanted.batch is not None:
        found &= Q(batch=wanted.batch)
    return found


def _slice(sync: AudienceSync, wanted: Wanted, after: str) -> Slice:
    state, span = wanted.state, wanted.span
    if wanted.batch is not None:
        return _in_batch(sync, wanted, after)
    if state == "not_synced":
        codes = [wanted.why] if wanted.why else list(NOT_SYNCED)
        return streams.not_synced(sync, codes, read_place(after, "d") or Place("d"), PAGE, span=span)
    if state == "errored":
        place = read_place(after, "b") or Place("b")
        return streams.by_batch(sync, Q(state=Batch.State.ERRORED), place, PAGE, reason=wanted.why, span=span)
    if state == "synced":
        place = read_place(after, "bd") or Place("b" if _is_rare(sync) else "d")
        if place.table == "b":
            return streams.by_batch(sync, Q(state=Batch.State.ACCEPTED), place, PAGE, span=span)
        return streams.deliveries(sync, place, PAGE, state=Batch.State.ACCEPTED, span=span)
    # Who waits for a batch comes first, then those who are in one.
    rest = "b" if state == "pending" else "d"
    place = read_place(after, "a" + rest) or Place("a")
    first = Slice([], None)
    if place.table == "a":
        first = streams.arrivals(sync, place, PAGE, span)
        if first.older is not None:
            return first
        place = Place(rest)
    left = PAGE - len(first.rows)
    if state == "pending":
        second = streams.by_batch(sync, Q(settled_at=None), place, left, span=span) if left else Slice([], place)
    else:
        second = streams.deliveries(sync, place, left, span=span) if left else Slice([], place)
    return Slice([*first.rows, *second.rows], second.older, second.cut)


def _in_batch(sync: AudienceSync, wanted: Wanted, after: str) -> Slice:
    """Return the sync's users in a batch; nobody when the batch is in another state, or failed for another reason."""
    batch = Batch.objects.filter(pk=wanted.batch or 0).first()
    if batch is None or wanted.state not in ("entered", BATCH_STATES[Batch.State(batch.state)]):
        return Slice([], None)
    if wanted.why and wanted.why != batch.reason:
        return Slice([], None)
    return streams.of_one_batch(sync, batch.pk, read_place(after, "b") or Place("b"), PAGE, span=wanted.span)


def is_in_batch(sync: AudienceSync, batch: int) -> bool:
    """Return whether a batch has users of this sync; one that was split has none any more."""
    return bool(streams.of_one_batch(sync, batch, Place("b"), 1).rows)


def _is_rare(sync: AudienceSync) -> bool:
    totals = SyncTotals.objects.filter(sync=sync).first()
    return totals is not None and totals.synced * RARE < totals.entered


def lines_of(rows: Iterable[Arrival | Delivery], partner: str) -> list[UserLine]:
    """Return what a page says about these rows."""
    rows = list(rows)
    names = _names({row.profile_id for row in rows})
    called = registry.name_of(partner)
    lines = []
    for row in rows:
        batch = row.batch if isinstance(row, Delivery) else None
        code = (row.reason if isinstance(row, Delivery) else "") or (batch.reason if batch else "")
        state = "pending"
        if isinstance(row, Delivery):
            state = BATCH_STATES[Batch.State(batch.state)] if batch else "not_synced"
        lines.append(
            UserLine(
                profile_id=row.profile_id,
                label=names.get(row.profile_id) or f"#{row.profile_id}",
                exists=row.profile_id in names,
                state=state,
                reason=reason(code, called) if code and state != "synced" else None,
                entered_at=row.entered_at,
                batch=batch,
                delivery_id=row.pk if isinstance(row, Delivery) else None,
                sync_id=row.sync_id,
                audience_id=row.audience_id,
                operation=row.get_operation_display(),
            )
        )
    return lines


def _names(ids: set[int]) -> dict[int, str | None]:
    return dict(Profile.objects.filter(pk__in=ids).values_list("pk", "external_id"))


def waiting(step: Step, span: Span = ALWAYS, after: str = "") -> UsersPage:
    """Return the users who are held by a step, those who go on first first."""
    everybody = Entry.objects.filter(step=step, state=Entry.State.WAITING)
    found: list[Entry] = []
    for part in _next(everybody, read_place(after, "e")):
        if span == ALWAYS:
            found += part[: PAGE + 1 - len(found)]
            continue
        last = part.values_list("due_at", "pk")[streams.WINDOW - 1 : streams.WINDOW].first()
        for inside in _up_to(part, last):
            found += inside.filter(span.q)[: PAGE + 1 - len(found)]
        if last is not None and len(found) <= PAGE:
            return UsersPage(_waiting_lines(found), str(Place("e", last[1], at=last[0])), cut=True)
    older = str(Place("e", found[PAGE - 1].pk, at=found[PAGE - 1].due_at)) if len(found) > PAGE else ""
    return UsersPage(_waiting_lines(found[:PAGE]), older)


def _next(entries: "QuerySet[Entry]", place: Place | None) -> "list[QuerySet[Entry]]":
    """Return who goes on behind a place: first the rest of its moment, then all after it.

    Asked in two, as a launch lets millions in who go on at one moment: a page further on would walk through all of it.
    """
    if place is None or place.at is None:
        return [entries.order_by("due_at", "id")]
    return [
        entries.filter(due_at=place.at, id__gt=place.id).order_by("id"),
        entries.filter(due_at__gt=place.at).order_by("due_at", "id"),
    ]


def _up_to(entries: "QuerySet[Entry]", last: tuple[datetime | None, int] | None) -> "list[QuerySet[Entry]]":
    """Return the entries up to this one, in two for the same reason."""
    if last is None:
        return [entries]
    at, pk = last
    return [entries.filter(due_at__lt=at), entries.filter(due_at=at, id__lte=pk)]


def _waiting_lines(entries: Iterable[Entry]) -> list[UserLine]:
    entries = list(entries)
    names = _names({entry.profile_id for entry in entries})
    return [
        UserLine(
            profile_id=entry.profile_id,
            label=names.get(entry.profile_id) or f"#{entry.profile_id}",
            exists=entry.profile_id in names,
            state="waiting",
            reason=None,
            entered_at=entry.entered_at,
            due_at=entry.due_at,
        )
        for entry in entries
    ]
