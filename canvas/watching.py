"""What the simulator's pages show of a run, and of the playground it runs against."""

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from canvas import drawing
from canvas.analytics import METRICS
from canvas.models import Canvas, SimulatorRun
from canvas.simulator import Sample, measure
from integrations import registry
from integrations.contract import AudiencePartner, Fault, Playground
from integrations.errors import PartnerError
from integrations.models import AudienceSync, Connection
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace

SECONDS_SHOWN = 60  # of requests
REQUESTS_SHOWN = 12


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
class Knob:
    """One way to break the playground, with the values its form begins with."""

    fault: Fault
    inputs: list[tuple[str, str, bool]] = field(default_factory=list)  # name, value, yes-or-no


def partner_of(workspace: Workspace) -> AudiencePartner:
    """Return the partner that the workspace is connected to, or the first there is."""
    slugs = {partner.slug: partner for partner in registry.partners()}
    found = Connection.objects.filter(workspace=workspace, partner__in=slugs).order_by("pk").first()
    return slugs[found.partner] if found else registry.partners()[0]


def over_time(run: SimulatorRun, now: datetime) -> drawing.Lines:
    """Draw the run: what was synced and errored since it began, and who is pending, up to now while it goes on."""
    samples = [Sample(*map(_as_number, sample)) for sample in run.samples]
    if not run.is_over:
        samples.append(measure(run.canvas, max((now - run.started_at).total_seconds(), 0)))
    first = samples[0]
    return drawing.lines(
        [sample.seconds for sample in samples],
        [
            ("pending", METRICS["pending"], [sample.pending for sample in samples]),
            ("synced", METRICS["synced"], [sample.synced - first.synced for sample in samples]),
            ("errored", METRICS["errored"], [sample.errored - first.errored for sample in samples]),
        ],
    )


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


def knobs(workspace: Workspace, ground: Playground, canvas: Canvas | None) -> list[Knob]:
    """Return the ways to break the playground, filled in with what belongs to this Canvas.

    Raises PartnerError when it does not answer.
    """
    known = _known(workspace, canvas)
    return [
        Knob(
            fault,
            [
                (name, _shown(default, known.get(name, "")), isinstance(default, bool))
                for name, default in fault.parameters.items()
            ],
        )
        for fault in ground.faults()
    ]


def break_it(ground: Playground, name: str, given: dict[str, str]) -> tuple[bool, str]:
    """Break something; return whether that worked, and a sentence."""
    try:
        fault = next((fault for fault in ground.faults() if fault.name == name), None)
        if fault is None:
            return False, str(_("There is no such fault."))
        ground.break_it(name, {key: given[key] for key in fault.parameters if given.get(key)})
    except PartnerError as problem:
        return False, str(problem)
    return True, f"{fault.label}. {fault.meaning}"


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
