"""What several scenarios do, by the doors that a person uses. Whatever is made is looked for by its name before."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from canvas import building, editing, launching, simulator
from canvas.models import Canvas, SimulatorRun
from canvas.scenarios.base import Act, Figures, Stage
from integrations.contract import DELETE_AUDIENCE, OUTAGE
from integrations.models import Operation
from pinsync.profiles import made_up
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Segment
from pinsync.profiles.segments import save_segment

MAKE_FOR = 8.0  # seconds of making users up, before what was made is told
NET_SECONDS = 120  # after which an outage ends though nobody is left to end it
TAG = "scenario"


def name_of(stage: Stage, part: str = "") -> str:
    """Return what everything that the story makes is called."""
    title = stage.memory["title"]
    name = _("Scenario %(number)s: %(title)s") % {"number": stage.run.pk, "title": title}
    return f"{name} ({part})"[:100] if part else name[:100]


def make_users(*, missing: float = 0.0, share: float = 1.0, part: str = "") -> Act:
    """Return the act that makes up a share of the story's users; all but the `missing` carry an e-mail address."""

    def act(stage: Stage) -> Figures | None:
        number, name = round(stage.run.users * share), name_of(stage, part)
        made = Import.objects.filter(workspace=stage.workspace, name=name).first() or made_up.begin(
            stage.workspace, name
        )
        there = made.state == Import.State.DONE or made_up.go_on(
            made, number, missing, seed=stage.run.pk, now=stage.clock(), carry=MatchField.EMAIL, seconds=MAKE_FOR
        )
        if not there:
            stage.memory["look"] = {"made": made.rows, "users": number}
            return None
        stage.memory[f"users{part}"] = made.pk
        without = round(number * missing)
        stage.memory.update({f"reachable{part}": number - without, f"missing{part}": without})
        return {"users": number, "reachable": number - without, "missing": without}

    return act


def make_segment(stage: Stage) -> Figures:
    """Save the made-up users as a segment."""
    return save_rules(stage, name_of(stage), _rules_of(stage.users()))


def save_rules(stage: Stage, name: str, rules: list[dict[str, Any]]) -> Figures:
    found = Segment.objects.filter(workspace=stage.workspace, name=name).first()
    if found is None:
        filters = {"match": "all", "groups": [{"match": "all", "rules": rules}]}
        found = save_segment(Segment(workspace=stage.workspace), name, filters, stage.user, now=stage.clock())
    stage.memory["segment"] = found.pk
    return {"segment": name}


def _rules_of(users: Import) -> list[dict[str, Any]]:
    return [{"field": "external_id", "operator": "text.contains", "value": f"sim-{users.pk}-"}]


def make_audience(stage: Stage) -> Figures:
    ad_account = building.ad_account_in_use(stage.workspace)
    audience = building.audience_called(ad_account, name_of(stage), stage.clock())
    stage.memory.update(audience=audience.pk, ad_account=ad_account.pk)
    return {"audience": audience.name, "ad_account": ad_account.name, "id": audience.external_id}


def build(
    *, operation: str = Operation.ADD, by_segment: bool = False, entry: str = Canvas.EntryKind.LAUNCH, part: str = ""
) -> Act:
    """Return the act that builds a Canvas with one Audience Sync step on the story's audience.

    It targets the story's segment, its users, or whoever is brought to its door.
    """

    def act(stage: Stage) -> Figures:
        name = name_of(stage, part)
        canvas = Canvas.objects.filter(workspace=stage.workspace, name=name).first()
        if canvas is None:
            canvas = Canvas(workspace=stage.workspace, name=name, tags=[TAG], entry_kind=entry)
            if by_segment:
                canvas.segment_id = stage.memory["segment"]
            elif entry == Canvas.EntryKind.LAUNCH:
                canvas.source_import = stage.users()
            with transaction.atomic():
                editing.create(canvas, stage.user, stage.clock())
                building.add_sync(canvas, stage.audience, operation, MatchField.EMAIL)
        stage.run.canvas = canvas
        stage.memory.setdefault("canvases", [])
        if canvas.pk not in stage.memory["canvases"]:
            stage.memory["canvases"].append(canvas.pk)
        return {"canvas": name}

    return act


def launch(*, coming: str = "users") -> Act:
    """Return the act that launches the Canvas; `coming` is the figure that says how many will enter."""

    def act(stage: Stage) -> Figures:
        canvas = _launched(stage)
        users = stage.users().rows if coming == "users" else int(stage.memory[coming])
        stage.memory.setdefault("coming", {})[str(canvas.pk)] = users
        return {"canvas": canvas.name, "users": users}

    return act


def open_door(stage: Stage) -> Figures:
    """Launch a Canvas that users are brought to."""
    return {"canvas": _launched(stage).name}


def _launched(stage: Stage) -> Canvas:
    """Launch the Canvas unless that was done. Raises NotReady or WrongState where somebody put a hand to it."""
    canvas = stage.canvas
    if canvas.state != Canvas.State.ACTIVE:
        launching.launch(canvas, stage.user, stage.clock())
    return canvas


def send_in(*, part: str = "", pattern: str = SimulatorRun.Pattern.BURST, seconds: int = 1) -> Act:
    """Return the act that takes made-up users to the Canvas' door, spread over about so many seconds."""

    def act(stage: Stage) -> Figures:
        canvas, users = stage.canvas, stage.users(part)
        run = SimulatorRun.objects.filter(canvas=canvas, users=users).first()
        if run is None:
            order = simulator.Order(
                source=SimulatorRun.Source.MADE_UP,
                pattern=pattern,
                number=users.rows,
                per_second=0 if pattern == SimulatorRun.Pattern.BURST else max(users.rows // seconds, 1),
                users=users,
            )
            run = simulator.start(canvas, order, user=stage.user, now=stage.clock())
            coming = stage.memory.setdefault("coming", {})
            coming[str(canvas.pk)] = coming.get(str(canvas.pk), 0) + users.rows
            stage.memory.setdefault("runs", []).append(run.pk)
        return {"users": users.rows, "seconds": seconds}

    return act


def go_down(stage: Stage) -> Figures:
    """Let the partner be down from now on; should nobody mend it, it comes back by itself."""
    if "outage" not in stage.memory:
        number = stage.ground.break_it(OUTAGE, {"seconds": NET_SECONDS})
        stage.remember(outage=number, faults=[number], down_since=stage.clock().isoformat())
    return {"partner": stage.partner.name}


def come_back(stage: Stage) -> Figures:
    """Mend what the story broke."""
    mend(stage)
    return {"partner": stage.partner.name, "seconds": round(seconds_since(stage, "down_since"))}


def mend(stage: Stage) -> None:
    for number in stage.memory.get("faults", []):
        stage.ground.mend(number)
    stage.memory["faults"] = []


def delete_audience(stage: Stage) -> Figures:
    audience = stage.audience
    stage.remember(deleted=audience.external_id)
    if stage.ground.records(audience.external_id or "") is not None:
        stage.ground.break_it(DELETE_AUDIENCE, {"audience_id": audience.external_id})
    return {"audience": audience.name, "id": audience.external_id}


def seconds_since(stage: Stage, name: str) -> float:
    """Return the seconds since a moment that the story remembers."""
    return (stage.clock() - datetime.fromisoformat(stage.memory[name])).total_seconds()
