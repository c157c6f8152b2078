"""The simulator: users taken to a Canvas' door in a chosen pattern, the same door as everybody's.

A run is a row, advanced by whoever takes it when it is due: users enter, and how far it has come is saved, in one
transaction. A worker that dies leaves a run that is due again when its lease is over.
"""

import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from canvas import building, editing, journeys, launching
from canvas.analytics import figures_of
from canvas.models import Canvas, SimulatorRun
from canvas.run_figures import keep
from canvas.samples import sample_of, thinned
from integrations.models import AdAccount, AudienceSync, Operation
from pinsync.profiles import made_up, sample_csv
from pinsync.profiles.filters import FilterError
from pinsync.profiles.importing import run_import
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.profiles.segments import profiles_in
from pinsync.workspaces import audit
from pinsync.workspaces.models import User, Workspace

log = logging.getLogger("pinsync.simulator")

SOURCE = "simulator"  # Move.source
RING = "canvas.tasks.simulate"
LEASE = timedelta(seconds=120)  # longer than the queue lets a task live
MOST_USERS = 100_000  # made up for one run
USERS_AT_ONCE = 20_000  # who enter in one transaction
SLICES_AT_ONCE = 10  # such transactions, before others take their turn
MAKE_FOR = 10.0  # seconds of making users up at a time: far less than a task may live
SPIKE_EVERY = 20.0  # seconds
WATCH_FOR = timedelta(minutes=30)  # after the last user, while somebody is pending

Pattern = SimulatorRun.Pattern
Source = SimulatorRun.Source
End = SimulatorRun.End


@dataclass(frozen=True)
class Order:
    """What somebody asked for. `segment` None means everybody; `users` are made-up ones that are there already."""

    source: str
    pattern: str
    segment: Segment | None = None
    number: int = 0
    missing_percent: int = 0
    per_second: int = 0
    users: Import | None = None


def fresh_canvas(
    ad_account: AdAccount, audience_name: str, fields: MatchField, *, user: User | None, now: datetime
) -> Canvas:
    """Make and launch a Canvas whose one step adds users to an audience, which is created if there is none.

    Users enter it whenever a run brings them, as often as they come. Calls the partner: no transaction may be open.
    Raises CannotBuild or launching.NotReady.
    """
    audience = building.audience_called(ad_account, audience_name, now)
    canvas = Canvas(
        workspace=ad_account.connection.workspace,
        name=_("Simulator: %(audience)s") % {"audience": audience.name[:80]},
        tags=["simulation"],
        entry_kind=Canvas.EntryKind.API,
        reentry=True,
    )
    with transaction.atomic():
        editing.create(canvas, user, now)
        building.add_sync(canvas, audience, Operation.ADD, fields)
        launching.launch(canvas, user, now)
    return canvas


def start(canvas: Canvas, order: Order, *, user: User | None, now: datetime) -> SimulatorRun:
    """Start a run; a worker makes its users and lets the first ones in within seconds."""
    with transaction.atomic():
        figures = figures_of(canvas)
        run = SimulatorRun.objects.create(
            workspace=canvas.workspace,
            canvas=canvas,
            source=order.source,
            segment=order.segment,
            users=order.users,
            number=order.number,
            missing_percent=order.missing_percent,
            pattern=order.pattern,
            per_second=order.per_second,
            created_by=user,
            started_at=now,
            next_at=now,
            before=keep(figures),
            samples=[sample_of(figures, 0).as_list()],
        )
        audit.record(canvas.workspace, user, "simulator.started", canvas.name, now=now, run=run.pk)
        transaction.on_commit(ring)
    return run


def stop(run: SimulatorRun, *, user: User | None, now: datetime) -> bool:
    """Take no more users to the door; return whether the run was still going on. Who has entered goes on."""
    with transaction.atomic():
        ours = SimulatorRun.objects.filter(pk=run.pk, next_at__isnull=False).update(
            next_at=None, finished_at=now, end=End.STOPPED
        )
        if ours:  # now, whoever was being let in meanwhile is counted
            SimulatorRun.objects.filter(pk=run.pk).update(after=keep(figures_of(run.canvas)))
            audit.record(run.workspace, user, "simulator.stopped", run.canvas.name, now=now, run=run.pk)
    return bool(ours)


def ring() -> None:
    """Ask a worker to work on what is due. A doorbell: losing it costs one tick, ringing twice costs nothing."""
    async_task(RING, save=False)


def advance_due(now: datetime) -> int:
    """Work on every run that is due; return how many users entered. What fails in one run holds up no other."""
    entered = 0
    for run in SimulatorRun.objects.filter(next_at__lte=now).select_related("canvas__workspace", "segment", "users"):
        leased = now + LEASE
        if SimulatorRun.objects.filter(pk=run.pk, next_at=run.next_at).update(next_at=leased):
            run.next_at = leased
            try:
                entered += _advance(run, now)
            except Exception:  # tried again when the lease is over
                log.exception("simulating failed", extra={"run": run.pk})
    return entered


def owed(run: SimulatorRun, now: datetime) -> int:
    """Return how many users should have been taken to the door by the tick that follows `now`.

    Black Friday is a wave: it rises slowly, is at its peak after three quarters of its time, with twice the average
    rate, and falls off.
    """
    total = run.total or 0
    elapsed = max((now - run.started_at).total_seconds(), 0)
    if run.pattern == Pattern.BURST:
        return total
    if run.pattern == Pattern.STEADY:
        return min(total, math.ceil((elapsed + settings.TICK_SECONDS) * run.per_second))
    if run.pattern == Pattern.FRIDAY:
        part = min((elapsed + settings.TICK_SECONDS) * run.per_second / total, 1.0) if total else 1.0
        return min(total, math.ceil(total * (5 * part**4 - 4 * part**5)))
    spikes = math.floor(elapsed / SPIKE_EVERY) + 1
    return min(total, math.ceil(spikes * SPIKE_EVERY * run.per_second))


def _advance(run: SimulatorRun, now: datetime) -> int:
    if run.total is None and not _prepare(run, now):
        return 0
    entered = 0
    for _slice in range(SLICES_AT_ONCE):
        number = min(owed(run, now) - run.sent, USERS_AT_ONCE)
        try:
            entered += _let_in(run, number, now)
        except journeys.NotActive:
            _finish(run, End.CANVAS_STOPPED, now)
        except FilterError:
            _finish(run, End.NO_USERS, now)
        if run.is_over or run.sent_at or owed(run, now) <= run.sent:
            break
    else:
        _save(run, next_at=now)
        ring()
    return entered


def _prepare(run: SimulatorRun, now: datetime) -> bool:
    """Make the run's users, and count them; return whether they are there."""
    if not _make_users(run, now):
        _save(run, next_at=now)
        ring()
        return False
    try:
        run.total = _users(run, now).count()
    except FilterError:
        _finish(run, End.NO_USERS, now)
        return False
    return _save(run, users=run.users, total=run.total)


def _make_users(run: SimulatorRun, now: datetime) -> bool:
    """Make the users whom the run itself brings, for a while; return whether all are there."""
    if run.source == Source.MADE_UP:
        if run.users is None:
            run.users = made_up.begin(run.workspace, f"{run.number:,} made-up users")
            if not _save(run, users=run.users):
                return False
        missing = run.missing_percent / 100
        wanted = _wanted(run.canvas)
        return run.users.state == Import.State.DONE or made_up.go_on(
            run.users, run.number, missing, seed=run.pk, now=now, carry=wanted, seconds=MAKE_FOR
        )
    if run.source == Source.SAMPLE and run.users is None:
        run.users = Import.objects.create(workspace=run.workspace, name=sample_csv.SAMPLE.name)
        with sample_csv.SAMPLE.open("rb") as file:
            run_import(run.users, file, now=now)
    return True


def _wanted(canvas: Canvas) -> MatchField | None:
    """Return the field on which all steps match, if it is one: without it, made-up users would be of no use there."""
    masks = set(AudienceSync.objects.filter(step__canvas=canvas).values_list("match_fields", flat=True))
    only = MatchField(masks.pop()) if len(masks) == 1 else MatchField(0)
    return only if len(only.names) == 1 else None


def _users(run: SimulatorRun, now: datetime) -> "QuerySet[Profile]":
    return profiles_in(run.workspace, run.segment, run.users, now=now)


def _let_in(run: SimulatorRun, number: int, now: datetime) -> int:
    """Take the next `number` users to the door and save how far the run has come; return how many were let in."""
    with transaction.atomic():
        ahead = _users(run, now).filter(pk__gt=run.last_profile_id).order_by("pk")
        ids = list(ahead.values_list("pk", flat=True)[: max(number, 0)])
        entered = 0
        if ids:
            batch = ahead.order_by().filter(pk__lte=ids[-1])
            entered = journeys.enter(run.canvas, batch, source=SOURCE, now=now).users
        sent = run.sent + len(ids)
        is_last = len(ids) < number or sent >= (run.total or 0)
        changes = {
            "sent": sent,
            "entered": run.entered + entered,
            "last_profile_id": ids[-1] if ids else run.last_profile_id,
            "sent_at": run.sent_at or (now if is_last else None),
        }
        if not _save(run, **changes, **_next(run, now, sent, changes["sent_at"])):
            transaction.set_rollback(True)  # stopped meanwhile: these users have not come
            run.next_at = None
            return 0
    return entered


def _next(run: SimulatorRun, now: datetime, sent: int, sent_at: object) -> dict[str, object]:
    """Return what is next: more users under the lease that we have, a look at the next tick, or the end."""
    figures = figures_of(run.canvas)
    sample = sample_of(figures, (now - run.started_at).total_seconds())
    changes: dict[str, object] = {"samples": thinned([*run.samples, sample.as_list()])}
    if not sent_at and owed(run, now) > sent:
        return changes
    is_watched_enough = run.sent_at is not None and now > run.sent_at + WATCH_FOR
    if not sent_at or (sample.pending and not is_watched_enough):
        return changes | {"next_at": now + timedelta(seconds=settings.TICK_SECONDS)}
    return changes | {"next_at": None, "finished_at": now, "end": End.DONE, "after": keep(figures)}


def _finish(run: SimulatorRun, end: str, now: datetime) -> None:
    _save(run, next_at=None, finished_at=now, end=end, after=keep(figures_of(run.canvas)))


def _save(run: SimulatorRun, **changes: object) -> bool:
    """Save if the run is still leased to us; return whether it was."""
    ours = SimulatorRun.objects.filter(pk=run.pk, next_at=run.next_at).update(**changes)
    if ours:
        for name, value in changes.items():
            setattr(run, name, value)
    return bool(ours)


def runs_of(workspace: Workspace) -> "QuerySet[SimulatorRun]":
    """Return the workspace's runs, the newest first."""
    return SimulatorRun.objects.filter(workspace=workspace).select_related("canvas", "segment").order_by("-id")
