"""Runs of scenarios, as people see them: started, cancelled, listed. running.py tells them."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from canvas import building
from canvas.models import ScenarioRun
from canvas.scenarios.base import Scenario
from integrations import registry
from pinsync.workspaces import audit
from pinsync.workspaces.models import Member, Role, User, Workspace

RING = "canvas.tasks.tell"


class CannotStart(Exception):
    """The story cannot begin; `str()` is the sentence for the person."""


def start(
    workspace: Workspace, scenario: Scenario, *, user: User | None, now: datetime, users: int | None = None
) -> ScenarioRun:
    """Start telling; a worker begins within seconds. Without a user, an Admin of the workspace is meant.

    Raises CannotStart.
    """
    try:
        connection = building.connection_in_use(workspace)
    except building.CannotBuild as problem:
        raise CannotStart(str(problem)) from None
    partner = registry.partner(connection.partner)
    if partner.playground() is None:
        said = _("This installation talks to the real %(partner)s: nothing is broken there on purpose.")
        raise CannotStart(said % {"partner": partner.name})
    if partner.quota is not None:
        said = _("Scenarios need full pace; with %(quota)s each would take hours.")
        raise CannotStart(said % {"quota": partner.quota.name})
    teller = user or _admin(workspace)
    member = Member.objects.filter(workspace=workspace, user=teller).first() if teller else None
    if (member is None or not member.may(scenario.role)) and (user or scenario.role == Role.ADMIN):
        raise CannotStart(_("This scenario reconnects the partner, which only an Admin may do."))
    try:
        with transaction.atomic():
            run = ScenarioRun.objects.create(
                workspace=workspace,
                scenario=scenario.slug,
                users=users or scenario.users,
                memory={"partner": partner.slug, "title": str(scenario.title)},
                created_by=teller,
                started_at=now,
                step_since=now,
                next_at=now,
            )
            audit.record(workspace, user, "scenario.started", str(scenario.title), now=now, run=run.pk)
            transaction.on_commit(ring)
    except IntegrityError:
        raise CannotStart(_("Another scenario is running in this workspace. One at a time.")) from None
    return run


def cancel(run: ScenarioRun, *, user: User | None, now: datetime) -> bool:
    """Have the story ended and tidied up within seconds; return whether it was still going on."""
    with transaction.atomic():
        ours = ScenarioRun.objects.filter(pk=run.pk, end="", finished_at=None, is_cancelled=False).update(
            is_cancelled=True
        )
        if ours:
            audit.record(
                run.workspace, user, "scenario.cancelled", str(run.memory.get("title", "")), now=now, run=run.pk
            )
            transaction.on_commit(ring)
    return bool(ours)


def ring() -> None:
    """Ask a worker to work on what is due. A doorbell: losing it costs one tick, ringing twice costs nothing."""
    async_task(RING, save=False)


def runs_of(workspace: Workspace) -> "QuerySet[ScenarioRun]":
    """Return the workspace's runs, the newest first."""
    return ScenarioRun.objects.filter(workspace=workspace).select_related("workspace", "canvas").order_by("-id")


def unfinished(workspace: Workspace) -> ScenarioRun | None:
    return runs_of(workspace).filter(finished_at=None).first()


def _admin(workspace: Workspace) -> User | None:
    found = Member.objects.filter(workspace=workspace, role=Role.ADMIN, user__is_active=True).select_related("user")
    first = found.order_by("pk").first()
    return first.user if first else None
