"""The end of a run held against the model: every intent once, figures counted, the partner's sets record by record."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from integrations.benchmarks.chaos.model import Asked, Model
from integrations.benchmarks.chaos.scene import Place, Scene
from integrations.benchmarks.chaos.watching import wrong_figures
from integrations.models import Arrival, Batch, SyncHour, SyncMinute, SyncTotals
from integrations.reasons import NO_USABLE_FIELD, SUPERSEDED
from pinsync.profiles.matching import RECORD_COLUMNS
from pinsync.profiles.models import Profile

SHOWN = 5  # examples of one kind of failure

ENDS = """
SELECT d.profile_id, d.sync_id, d.audience_id, d.entered_at, d.reason, COALESCE(b.state, ''), d.batch_id
FROM integrations_delivery d LEFT JOIN integrations_batch b ON b.id = d.batch_id
"""
CROWDED = """
SELECT b.id, b.state, b.users, count(d.id) FROM integrations_batch b
LEFT JOIN integrations_delivery d ON d.batch_id = b.id GROUP BY b.id, b.state, b.users
HAVING count(d.id) <> CASE WHEN b.state = 'split' THEN 0 ELSE b.users END
"""


class Failures:
    """Failures by kind, with a few examples of each."""

    def __init__(self) -> None:
        self.number: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, example: str = "") -> None:
        self.number[kind] += 1
        if example and len(self.examples[kind]) < SHOWN:
            self.examples[kind].append(example)

    def sentences(self) -> list[str]:
        return [
            f"{kind} ({number}×)" + "".join(f" · {example}" for example in self.examples[kind])
            for kind, number in self.number.items()
        ]


def check(scene: Scene, model: Model) -> Failures:
    """Return everything that is not as it must be."""
    found = Failures()
    owners = {place.audience.pk: _owners(place) for place in scene.places}
    _check_pending(found)
    _check_ends(model, {audience: set(of_one.values()) for audience, of_one in owners.items()}, found)
    _check_figures(model, found)
    for place in scene.places:
        there = scene.sandbox.records(place.audience.target_id)
        check_audience(place, owners[place.audience.pk], there, model, found)
    return found


def _owners(place: Place) -> dict[str, int]:
    """Return whose each record is, of all who have one in the fields of an audience."""
    owners: dict[str, int] = {}
    columns = [RECORD_COLUMNS[name] for name in place.fields.names]
    for pk, *records in Profile.objects.filter(workspace=place.workspace).values_list("pk", *columns):
        owners |= {record: pk for record in records if record}
    return owners


def _check_pending(found: Failures) -> None:
    waiting = Arrival.objects.count()
    if waiting:
        found.add("users still wait", f"{waiting} arrivals")
    for pk, state, reason, attempts in Batch.objects.filter(state__in=Batch.OPEN).values_list(
        "pk", "state", "reason", "attempts"
    )[:SHOWN]:
        found.add("a batch is still open", f"batch {pk} {state} {reason} after {attempts} attempts")


def _check_ends(model: Model, usable: dict[int, set[int]], found: Failures) -> None:
    """Every intent ended exactly once, and for a reason that is true. `usable`: who has a record, by audience."""
    seen: Counter[tuple[datetime, int]] = Counter()
    for profile, sync_id, audience_id, entered, reason, state, batch in _rows(ENDS):
        moment = _moment(entered)
        asked = model.at.get(moment)
        about = f"profile {profile} in audience {audience_id} entered {moment.isoformat()} batch {batch}"
        if (
            asked is None
            or profile not in asked.profiles
            or (asked.sync_id, asked.audience_id) != (sync_id, audience_id)
        ):
            found.add("a delivery that nobody asked for", about)
            continue
        seen[moment, profile] += 1
        if state == "errored":
            found.add("a user errored", about)
        elif reason == SUPERSEDED and not model.undone(asked, profile):
            found.add("superseded without a later opposite intent", about)
        elif reason not in ("", SUPERSEDED, NO_USABLE_FIELD):
            found.add(f"a user ended as {reason}", about)
        elif (reason == NO_USABLE_FIELD) == (profile in usable[audience_id]):
            found.add("a user with a record was not sent, or one without was", about)
        elif not reason and state not in ("accepted", "waiting", "sending"):
            found.add("a user is in no state", f"{about} {state}")
    for moment, asked in model.at.items():
        for profile in asked.profiles:
            times = seen[moment, profile]
            if times != 1:
                kind = "a user was lost" if times == 0 else "a user ended more than once"
                found.add(kind, f"profile {profile} at sync {asked.sync_id} entered {moment.isoformat()}: {times}")


def _check_figures(model: Model, found: Failures) -> None:
    for sentence in wrong_figures():
        found.add("a figure is not what counting gives", sentence)
    entered: Counter[int] = Counter()
    for asked in model.at.values():
        entered[asked.sync_id] += len(asked.profiles)
    for totals in SyncTotals.objects.all():
        if totals.entered != entered[totals.sync_id]:
            found.add("entered", f"sync {totals.sync_id}: {totals.entered}, not {entered[totals.sync_id]}")
        for figure in ("entered", "synced", "not_synced", "pending", "errored"):
            for name, spans in (("minutes", SyncMinute), ("hours", SyncHour)):
                if sum(spans.objects.filter(sync=totals.sync_id).values_list(figure, flat=True)) != getattr(
                    totals, figure
                ):
                    found.add(f"{name} do not add up", f"sync {totals.sync_id} {figure}")
    for pk, state, users, counted in _rows(CROWDED):
        found.add("a batch counts its users wrong", f"batch {pk} {state}: {users}, not {counted}")


def check_audience(place: Place, owners: dict[str, int], there: set[str], model: Model, found: Failures) -> None:
    """The partner's set is what the last intents say, record by record, beside what was in it before."""
    last = model.last(place.audience.pk)
    wanted = {record for record, pk in owners.items() if pk in last and last[pk].operation == "add"} | place.before
    for record in there - wanted:
        found.add(f"audience {place.audience.pk} holds somebody", _story(model, place, owners.get(record), last))
    for record in wanted - there:
        found.add(f"audience {place.audience.pk} lacks somebody", _story(model, place, owners.get(record), last))


def _story(model: Model, place: Place, profile: int | None, last: dict[int, Asked]) -> str:
    """Return what was asked for a profile, and the attempts of the batches it was in."""
    if profile is None or profile not in last:
        return "nobody that entered"
    story = [f"{asked.operation} {asked.entered_at:%H:%M:%S.%f}" for asked in model.history(place.audience.pk, profile)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.operation, d.reason, d.batch_id, b.state, a.started_at, a.duration_ms, a.outcome"
            " FROM integrations_delivery d LEFT JOIN integrations_batch b ON b.id = d.batch_id"
            " LEFT JOIN integrations_attempt a ON a.batch_id = b.id"
            " WHERE d.profile_id = %s AND d.audience_id = %s ORDER BY a.started_at",
            [profile, place.audience.pk],
        )
        ends = [" ".join(str(value) for value in row if value not in (None, "")) for row in cursor.fetchall()]
    return f"profile {profile}: asked {', '.join(story)}; sent {'; '.join(ends)}"


def _rows(query: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(5_000):
            yield from rows


def _moment(value: datetime | str) -> datetime:
    """Return a moment of a raw query; SQLite gives it as text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
