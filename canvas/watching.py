"""What the simulator's pages show of a run, and of the playground it runs against."""

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from canvas import drawing, picture
from canvas.analytics import METRICS
from canvas.models import Canvas, ScenarioRun, SimulatorRun
from canvas.run_figures import Kept
from canvas.samples import Sample
from integrations import registry
from integrations.contract import AudiencePartner, Fault, Playground
from integrations.errors import InvalidSettings, PartnerError
from integrations.models import AudienceSync, Connection
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace

SECONDS_SHOWN = 60  # of requests
REQUESTS_SHOWN = 12
SILENT = _("The sandbox does not answer. Nothing was changed there.")


@dataclass(frozen=True)
class Request:
    """A line of the log of requests."""

    at: datetime
    method: str
    path: str
    status: int
    records: int | None

    @property
    def short_path(self) -> str:
        """Return the path with long ids cut to their last digits, which tell them apart."""
        return re.sub(r"\d{6,}(\d{4})", r"…\1", self.path)

    @property
    def tone(self) -> str:
        if self.status == 429:
            return "warn"
        return "good" if 200 <= self.status < 300 else "bad"


@dataclass(frozen=True)
class Traffic:
    """What the playground saw lately, and what is broken there."""

    bars: drawing.Bars
    requests: list[Request]
    active: list[dict[str, Any]]


@dataclass(frozen=True)
class Input:
    """One parameter of a fault, with the value its form begins with."""

    name: str
    label: str
    value: str
    is_yes_or_no: bool


@dataclass(frozen=True)
class Switch:
    """One way to break the playground; `is_on` while it is broken this way, `is_refused` when it was just refused."""

    fault: Fault
    is_on: bool
    is_refused: bool = False
    inputs: list[Input] = field(default_factory=list)


def partner_of(workspace: Workspace) -> AudiencePartner:
    """Return the partner that the workspace is connected to, or the first there is."""
    slugs = {partner.slug: partner for partner in registry.partners()}
    found = Connection.objects.filter(workspace=workspace, partner__in=slugs).order_by("pk").first()
    return slugs[found.partner] if found else registry.partners()[0]


@dataclass(frozen=True)
class Watched:
    """What a live page shows: a run of the simulator, or a scenario that is told."""

    kind: str  # "run" or "story", as in the page's addresses
    pk: int
    canvases: list[Canvas]
    samples: list[list[float]]
    started_at: datetime
    is_over: bool
    before: Kept = field(default_factory=dict)  # the figures of a run's Canvas when it began; a story makes its own
    after: Kept | None = None

    @property
    def query(self) -> str:
        return f"{self.kind}={self.pk}"


def watched_run(run: SimulatorRun) -> Watched:
    return Watched("run", run.pk, [run.canvas], run.samples, run.started_at, run.is_over, run.before, run.after)


def watched_story(run: ScenarioRun) -> Watched:
    canvases = Canvas.objects.filter(pk__in=run.memory.get("canvases", [])).select_related("workspace").order_by("pk")
    return Watched("story", run.pk, list(canvases), run.samples, run.started_at, run.is_over)


def scene_of(watched: Watched, now: datetime) -> picture.Scene:
    """Return what is watched as it is now, a run that is over as it was in the end."""
    seconds = max((now - watched.started_at).total_seconds(), 0)
    return picture.scene(watched.canvases, seconds, watched.before, watched.after)


def over_time(watched: Watched, scene: picture.Scene) -> drawing.Lines:
    """Draw what was synced and errored since the start, and who is pending: up to now while it goes on.

    What has not changed since it was last written down makes no new point, so that an idle page stays the same.
    """
    samples = [Sample(*map(_as_number, sample)) for sample in watched.samples] or [Sample(0, 0, 0, 0, 0)]
    if not watched.is_over and samples[-1].as_list()[1:] != scene.now.as_list()[1:]:
        samples.append(scene.now)
    first = samples[0]
    return drawing.lines(
        [sample.seconds - first.seconds for sample in samples],
        [
            ("pending", METRICS["pending"], [sample.pending for sample in samples]),
            ("synced", METRICS["synced"], [max(sample.synced - first.synced, 0) for sample in samples]),
            ("errored", METRICS["errored"], [max(sample.errored - first.errored, 0) for sample in samples]),
        ],
    )


@dataclass(frozen=True)
class Agreement:
    """What we say an audience holds, and what the playground does: records, each once. None: there is none such."""

    count: picture.Count
    held: int | None

    @property
    def agrees(self) -> bool:
        return self.held is not None and self.held == self.count.said


def agreements(ground: Playground, partner: AudiencePartner, counts: list[picture.Count]) -> list[Agreement]:
    """Ask the playground what it holds. Raises PartnerError when it does not answer."""
    found = []
    for count in counts:
        records = ground.records(count.audience.external_id) if count.audience.external_id else None
        extra = partner.placeholders if count.audience.made_here else 0
        found.append(Agreement(count, None if records is None else records - extra))
    return found


def traffic(workspace: Workspace, partner: AudiencePartner, ground: Playground, now: datetime) -> Traffic:
    """Ask the playground. Raises PartnerError when it does not answer."""
    connection = Connection.objects.filter(workspace=workspace, partner=partner.slug).first()
    person = connection.partner_user_id if connection else ""
    lines = [
        line
        for line in ground.requests(now.timestamp() - SECONDS_SHOWN)
        if not person or line.get("user") in (person, None)
    ]
    limit = math.ceil(1 / partner.seconds_between_writes)
    writes = [float(line["time"]) for line in lines if line["ads_write"]]
    return Traffic(
        drawing.bars(writes, now=now.timestamp(), seconds=SECONDS_SHOWN, limit=limit),
        [_request(line) for line in reversed(lines[-REQUESTS_SHOWN:])],
        ground.active(),
    )


def switches(
    workspace: Workspace, ground: Playground, canvas: Canvas | None, refused: dict[str, str] | None = None
) -> list[Switch]:
    """Return the ways to break the playground, filled in with what belongs to this Canvas.

    `refused` is a form that was not taken: it keeps what was typed.

    Raises PartnerError when it does not answer.
    """
    known = _known(workspace, canvas)
    active = {fault["fault"] for fault in ground.active()}
    typed = refused or {}
    found = []
    for fault in ground.faults():
        is_refused = fault.name == typed.get("fault")
        values = {name: _shown(default, known.get(name, "")) for name, default in fault.parameters.items()}
        if is_refused:
            values = {name: typed.get(name, "") for name in values}
        inputs = [
            Input(name, fault.labels.get(name, name), values[name], isinstance(default, bool))
            for name, default in fault.parameters.items()
        ]
        found.append(Switch(fault, fault.name in active, is_refused, inputs))
    return found


def break_it(ground: Playground, name: str, given: dict[str, str]) -> tuple[bool, str]:
    """Break something; return whether that worked, and a sentence."""
    try:
        fault = next((fault for fault in ground.faults() if fault.name == name), None)
        if fault is None:
            return False, str(_("There is no such fault."))
        ground.break_it(name, _asked(fault, given))
    except InvalidSettings as refusal:
        return False, str(refusal)
    except PartnerError:
        return False, str(SILENT)
    return True, f"{fault.label}. {fault.meaning}"


def _asked(fault: Fault, given: dict[str, str]) -> dict[str, str]:
    """Return the parameters that a form gave; a box that was not ticked is not in it, and means no."""
    told = {
        name: given.get(name, "") or ("false" if isinstance(default, bool) else "")
        for name, default in fault.parameters.items()
    }
    return {name: value for name, value in told.items() if value}


def _known(workspace: Workspace, canvas: Canvas | None) -> dict[str, str]:
    syncs = AudienceSync.objects.filter(workspace=workspace, audience__isnull=False)
    sync = (syncs.filter(step__canvas=canvas) if canvas else syncs).select_related("audience__ad_account").last()
    somebody = Profile.objects.filter(workspace=workspace, email_record__isnull=False).order_by("-pk").first()
    known = {"ms": "1000", "seconds": "30", "digest": (somebody.email_record or "") if somebody else ""}
    if sync is not None and sync.audience is not None:
        known |= {
            "audience_id": sync.audience.external_id or "",
            "ad_account_id": sync.audience.ad_account.external_id,
        }
    return known


def _shown(default: Any, known: str) -> str:
    if isinstance(default, bool):
        return "true" if default else ""
    return known if default is None else str(default)


def _request(line: dict[str, Any]) -> Request:
    at = datetime.fromtimestamp(float(line["time"]), UTC)
    return Request(at, str(line["method"]), str(line["path"]), int(line["status"]), line.get("records"))


def _as_number(value: float) -> Any:
    return int(value) if float(value).is_integer() else value
