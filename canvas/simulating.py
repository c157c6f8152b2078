"""The main job without a page: these users, into (or out of) that audience, through one step."""

from dataclasses import dataclass
from datetime import datetime

from canvas import building, editing, launching, schedules
from canvas.analytics import metrics
from canvas.models import Canvas, Step
from integrations.models import AdAccount, Audience, SyncTotals
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Profile
from pinsync.workspaces.models import User


@dataclass(frozen=True)
class Outcome:
    """What became of a simulation so far. The ids of ad account, audience and customer list are the partner's."""

    canvas_id: int
    step_id: int
    ad_account_id: str
    audience_id: str
    customer_list_id: str
    imported: int
    rejected: int
    entered: int
    proceeded: int
    synced: int
    not_synced: int
    pending: int
    errored: int
    exited: int
    seconds: float


@dataclass(frozen=True)
class Simulation:
    """A one-step Canvas under way, and the import whose users it targets."""

    canvas: Canvas
    step: Step
    audience: Audience
    users: Import
    imported: int

    def is_settled(self) -> bool:
        """Return whether everybody has entered and nobody is pending."""
        if Canvas.objects.filter(pk=self.canvas.pk, enter_at__isnull=False).exists():
            return False
        return not SyncTotals.objects.filter(sync__step=self.step, pending__gt=0).exists()

    def outcome(self, seconds: float) -> Outcome:
        """Return the figures of one moment."""
        figures = metrics(self.step)
        return Outcome(
            canvas_id=self.canvas.pk,
            step_id=self.step.pk,
            ad_account_id=self.audience.ad_account.external_id,
            audience_id=self.audience.external_id or "",
            customer_list_id=self.audience.target_id,
            imported=self.imported,
            rejected=self.users.rejected,
            entered=figures.entered,
            proceeded=figures.proceeded,
            synced=figures.synced,
            not_synced=figures.not_synced,
            pending=figures.pending,
            errored=figures.errored,
            exited=figures.exited,
            seconds=round(seconds, 3),
        )


def launch(
    users: Import,
    ad_account: AdAccount,
    audience_name: str,
    operation: str,
    fields: MatchField,
    *,
    user: User | None,
    now: datetime,
) -> Simulation:
    """Make a one-step Canvas for the users of this import, launch it and let them in.

    They are let in here rather than by the next worker: an import of the same file that follows would take them over.
    Raises CannotBuild, or launching.NotReady.
    """
    audience = building.audience_called(ad_account, audience_name, now)
    canvas = Canvas(
        workspace=users.workspace,
        name=f"{audience.name[:80]}: {users.name}"[:120],
        tags=["simulation"],
        source_import=users,
    )
    editing.create(canvas, user, now)
    step = building.add_sync(canvas, audience, operation, fields)
    imported = Profile.objects.filter(last_import=users).count()
    launching.launch(canvas, user, now)
    schedules.enter_due(now)
    return Simulation(canvas, step, audience, users, imported)
