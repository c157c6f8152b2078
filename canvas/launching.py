"""Whether a Canvas can be launched, what that would do, and its moves from state to state.

Legal moves: draft → active → stopped → active; draft or stopped → archived → where it was. Each is a conditional UPDATE
in the transaction that writes it down in the audit log.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from canvas import journeys
from canvas.models import Canvas, Step
from canvas.steps import kind_of
from integrations.delivery import forecast
from integrations.delivery.forecast import Outlook
from integrations.delivery.limits import limits_of
from integrations.models import AudienceSync, Connection
from integrations.problems import Problem
from pinsync.profiles.filters import FilterError
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Profile
from pinsync.profiles.segments import field_coverage, profiles_in, usable
from pinsync.workspaces import audit
from pinsync.workspaces.models import User

LAUNCH = "launch"  # Move.source of users who entered because of a launch
RING = "canvas.tasks.enter_due"

State = Canvas.State


class NotReady(Exception):
    """Something keeps the Canvas from being launched; `problems` says what."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class WrongState(Exception):
    """The Canvas is not in a state from which this move leads anywhere; somebody else may have been first."""


@dataclass(frozen=True)
class Forecast:
    """What a launch now would mean for one sync step. `seconds` at the pace in force, if nobody else sends."""

    step: Step
    users: int
    records: int
    requests: int
    seconds: float
    outlook: Outlook | None  # where the partner rations our whole app: with all that waits already


@dataclass(frozen=True)
class Preview:
    """Who would enter now, who of them carries which field, and what sending them takes."""

    users: int
    coverage: dict[str, int]
    forecasts: list[Forecast]

    @property
    def requests(self) -> int:
        return sum(forecast.requests for forecast in self.forecasts)

    @property
    def seconds(self) -> float:
        return sum(forecast.seconds for forecast in self.forecasts)


def target(canvas: Canvas, now: datetime) -> "QuerySet[Profile]":
    """Return the target audience: everybody, a segment, or the users of an import. Raises FilterError."""
    return profiles_in(canvas.workspace, canvas.segment, canvas.source_import, now=now)


def problems(canvas: Canvas, now: datetime) -> list[Problem]:
    """Return what keeps the Canvas from being launched or resumed, in the order of the page. Calls no partner."""
    steps = list(canvas.steps.select_related("sync__ad_account__connection", "sync__audience", "canvas__workspace"))
    found = []
    edit = reverse("canvas:edit", args=[canvas.workspace.slug, canvas.pk])
    try:
        target(canvas, now)
    except FilterError as wrong:
        found.append(Problem(_("The target audience cannot be used: %(why)s") % {"why": wrong}, edit))
    source = canvas.source_import
    if source and source.state != Import.State.DONE:
        found.append(Problem(_("The import “%(name)s” is not finished.") % {"name": source.name}, edit))
    if not steps:
        page = reverse("canvas:detail", args=[canvas.workspace.slug, canvas.pk])
        found.append(Problem(_("There is no step yet. Add one to the journey."), page))
    for step in steps:
        here = reverse("canvas:step", args=[canvas.workspace.slug, canvas.pk, step.pk])
        for each in kind_of(step).problems(step):
            found.append(replace(each, text=f"“{step.name}”: {each.text}", url=each.url or here))
    return found


def preview(canvas: Canvas, now: datetime) -> Preview:
    """Count who would enter now and what that costs. Reads every profile of the target audience, in SQL."""
    users = journeys.may_enter(canvas, target(canvas, now))
    coverage = field_coverage(users)
    forecasts = []
    for step in canvas.steps.select_related("sync"):
        if step.sync is None or not step.sync.partner:
            continue
        mask = MatchField(step.sync.match_fields)
        sendable = usable(users, mask)
        records = sum(coverage[name] for name in mask.names)
        limits = limits_of(step.sync.partner)
        # As full as the users' records allow: whichever limit is reached first decides.
        requests = max(-(-sendable // limits.users), -(-records // limits.records))
        forecasts.append(_forecast(step, step.sync, sendable, records, requests, now))
    return Preview(coverage["total"], coverage, forecasts)


def _forecast(step: Step, sync: AudienceSync, users: int, records: int, requests: int, now: datetime) -> Forecast:
    connection = Connection.objects.filter(workspace=sync.workspace_id, partner=sync.partner).first()
    slot = forecast.next_slot_in(connection) if connection else 0.0
    seconds = forecast.seconds_until_sent(sync.partner, requests, next_slot_in=slot)
    ours = forecast.Line(sync.audience_id or 0, sync.operation, connection.pk if connection else 0, requests)
    lane = (ours.audience_id, ours.operation)
    outlook = forecast.outlook(
        sync.partner,
        lambda line: (line.audience_id, line.operation) == lane,
        now=now,
        next_slot_in=slot,
        more=[ours] if requests else [],
    )
    return Forecast(step, users, records, requests, seconds, outlook)


def launch(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Make a draft active; who is in its target audience enters within seconds. Raises NotReady or WrongState."""
    with transaction.atomic():
        _check(canvas, now)
        changes = {"enter_at": now, "enter_after": 0} if canvas.entry_kind == Canvas.EntryKind.LAUNCH else {}
        _move(canvas, State.DRAFT, state=State.ACTIVE, launched_at=now, **changes)
        audit.record(canvas.workspace, user, "canvas.launched", canvas.name, now=now, canvas=canvas.pk)
        transaction.on_commit(ring)


def stop(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Let nobody in any more. Who is pending is still sent; who waits in a Delay leaves when it ends.

    Raises WrongState.
    """
    with transaction.atomic():
        _move(canvas, State.ACTIVE, state=State.STOPPED, stopped_at=now, enter_at=None)
        audit.record(canvas.workspace, user, "canvas.stopped", canvas.name, now=now, canvas=canvas.pk)


def resume(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Make a stopped Canvas active again. Raises NotReady or WrongState.

    Who entered at its launch does not enter again; a launch that was stopped before everybody had entered goes on.
    """
    with transaction.atomic():
        _check(canvas, now)
        enters_at = None if canvas.enter_after is None else now
        _move(canvas, State.STOPPED, state=State.ACTIVE, stopped_at=None, enter_at=enters_at)
        audit.record(canvas.workspace, user, "canvas.resumed", canvas.name, now=now, canvas=canvas.pk)
        transaction.on_commit(ring)


def archive(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Put a draft or a stopped Canvas away. Raises WrongState."""
    with transaction.atomic():
        _move(canvas, State.DRAFT, State.STOPPED, state=State.ARCHIVED)
        audit.record(canvas.workspace, user, "canvas.archived", canvas.name, now=now, canvas=canvas.pk)


def unarchive(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Take an archived Canvas out again, to where it was. Raises WrongState."""
    with transaction.atomic():
        journeys.hold(canvas.pk)
        canvas.refresh_from_db(fields=["launched_at"])
        _move(canvas, State.ARCHIVED, state=State.STOPPED if canvas.launched_at else State.DRAFT)
        audit.record(canvas.workspace, user, "canvas.unarchived", canvas.name, now=now, canvas=canvas.pk)


def ring() -> None:
    """Ask a worker to let in who is due. A doorbell: losing it costs one tick, ringing twice costs nothing."""
    async_task(RING, save=False)


def _check(canvas: Canvas, now: datetime) -> None:
    """Look at the Canvas as it is now, held until the transaction ends."""
    journeys.hold(canvas.pk)
    canvas.refresh_from_db()
    found = problems(canvas, now)
    if found:
        raise NotReady(found)


def _move(canvas: Canvas, *expected: State, **changes: object) -> None:
    if not Canvas.objects.filter(pk=canvas.pk, state__in=expected).update(**changes):
        raise WrongState
    canvas.refresh_from_db()
