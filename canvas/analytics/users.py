"""The users behind a number: who, why, when, and in which batch."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.functional import Promise

from canvas.analytics import streams
from canvas.analytics.places import Place, read_place
from canvas.analytics.streams import PAGE, Slice
from canvas.models import Entry, Step
from integrations import registry
from integrations.models import Arrival, AudienceSync, Batch, Delivery, SyncTotals
from integrations.reasons import NOT_SYNCED, Reason, reason
from pinsync.profiles.finding import search
from pinsync.profiles.models import Profile

STATES = ("entered", "synced", "pending", "not_synced", "errored")
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


def users(step: Step, state: str, *, why: str = "", after: str = "") -> UsersPage:
    """Return a page of the users of a step in one of STATES, of those whose reason is `why` if given.

    The cost does not grow with the number of users.
    """
    sync = step.sync
    if sync is None:
        return waiting(step, after)
    found = _slice(sync, state, why, after)
    return UsersPage(lines_of(found.rows, sync.partner), str(found.older or ""), found.cut)


def find(step: Step, text: str, state: str = "entered") -> list[UserLine]:
    """Return what became of the users with this external ID in a step."""
    profiles = search(step.canvas.workspace, text)
    if step.sync is None:
        entries = Entry.objects.filter(step=step, state=Entry.State.WAITING, profile__in=[p.pk for p in profiles])
        return _waiting_lines(entries[:PAGE])
    rows = streams.same_person([profile.pk for profile in profiles], Q(sync=step.sync_id))
    return [line for line in lines_of(rows, step.sync.partner) if state in ("entered", line.state)]


def _slice(sync: AudienceSync, state: str, why: str, after: str) -> Slice:
    if state == "not_synced":
        codes = [why] if why else list(NOT_SYNCED)
        return streams.not_synced(sync, codes, read_place(after, "d") or Place("d"), PAGE)
    if state == "errored":
        place = read_place(after, "b") or Place("b")
        return streams.by_batch(sync, [Batch.State.ERRORED], place, PAGE, reason=why)
    if state == "synced":
        place = read_place(after, "bd") or Place("b" if _is_rare(sync) else "d")
        if place.table == "b":
            return streams.by_batch(sync, [Batch.State.ACCEPTED], place, PAGE)
        return streams.deliveries(sync, place, PAGE, state=Batch.State.ACCEPTED)
    # Who waits for a batch comes first, then those who are in one.
    rest = "b" if state == "pending" else "d"
    place = read_place(after, "a" + rest) or Place("a")
    first = Slice([], None)
    if place.table == "a":
        first = streams.arrivals(sync, place, PAGE)
        if first.older is not None:
            return first
        place = Place(rest)
    left = PAGE - len(first.rows)
    if state == "pending":
        second = streams.by_batch(sync, list(Batch.OPEN), place, left) if left else Slice([], place)
    else:
        second = streams.deliveries(sync, place, left) if left else Slice([], place)
    return Slice([*first.rows, *second.rows], second.older, second.cut)


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


def waiting(step: Step, after: str = "") -> UsersPage:
    """Return the users who are held by a step, those who go on first first."""
    entries = Entry.objects.filter(step=step, state=Entry.State.WAITING).order_by("due_at", "id")
    place = read_place(after, "e")
    last = entries.filter(pk=place.id).first() if place else None
    if last is not None:
        entries = entries.filter(due_at__gte=last.due_at).filter(Q(due_at__gt=last.due_at) | Q(id__gt=last.pk))
    found = list(entries[: PAGE + 1])
    older = str(Place("e", found[PAGE - 1].pk)) if len(found) > PAGE else ""
    return UsersPage(_waiting_lines(found[:PAGE]), older)


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
