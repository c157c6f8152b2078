"""`manage.py simulate`: users of a file, or made-up ones, into an audience; the main job without a page.

With --scenario it tells a story instead, and its end says whether all checks hold.
"""

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from canvas import building, launching, simulating
from canvas.scenarios import scenarios
from canvas.scenarios.telling import Line
from canvas.scenarios.terminal import tell
from canvas.ticking import work_until
from integrations.errors import PartnerError
from integrations.models import Operation
from pinsync.profiles.importing import run_import
from pinsync.profiles.made_up import make_profiles
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import
from pinsync.workspaces.models import Workspace

TIMEOUT_SECONDS = 600.0
SIGNS = {"good": "✓", "bad": "✗", "stopped": "✗", "untidy": "✗", "done": "·", "tidy": "·"}


class Command(BaseCommand):
    help = (
        "Import users, make a one-step Canvas that adds them to an audience (or removes them from it), launch it, and "
        "say what became of them. Uses a running worker, or does its work itself while it waits. Or tell a scenario "
        "to its end; exits 1 when a check fails."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, help="the workspace's name in its address")
        users = parser.add_mutually_exclusive_group(required=True)
        users.add_argument("--csv", type=Path, help="a file with users (UTF-8; the first line names the columns)")
        users.add_argument("--profiles", type=_number, help="how many users to make up")
        users.add_argument("--scenario", choices=list(scenarios()), help="tell this story instead")
        parser.add_argument(
            "--users", type=_number, help="how many users a scenario makes up, instead of its own number"
        )
        parser.add_argument("--missing", type=_share, default=0.0, help="share of made-up users without a usable value")
        parser.add_argument("--seed", type=int, default=1, help="the same seed makes up the same values")
        parser.add_argument("--fields", type=_fields, help="what to match on: email,idfa,gaid")
        parser.add_argument("--audience", help="its name; created when there is none")
        parser.add_argument("--operation", choices=Operation.values, default=Operation.ADD.value)
        parser.add_argument("--ad-account", default="", help="the partner's id; the first connected one if not given")
        parser.add_argument("--wait", action="store_true", help="until nobody is pending")
        parser.add_argument("--timeout", type=_seconds, default=TIMEOUT_SECONDS, help="seconds to wait at most")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["scenario"]:
            self._tell_scenario(options)
            return
        for name in ("fields", "audience"):
            if options[name] is None:
                raise CommandError(f"--{name} is needed with --csv and --profiles.", returncode=2)
        started = time.monotonic()
        try:
            simulation = _launch(options)
            settled = not options["wait"] or work_until(
                simulation.is_settled,
                seconds=options["timeout"] - (time.monotonic() - started),
                clock=timezone.now,
            )
            outcome = simulation.outcome(time.monotonic() - started)
        except building.CannotBuild as problem:
            raise CommandError(str(problem)) from None
        except launching.NotReady as refusal:
            raise CommandError(" ".join(str(problem.text) for problem in refusal.problems)) from None
        except PartnerError as problem:
            raise CommandError(f"The partner did not do what was asked: {problem.code}.") from None
        except DatabaseError as problem:
            raise CommandError(f"The database does not answer ({type(problem).__name__}). Is it migrated?") from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. Users who have entered are delivered by a worker.", returncode=130) from None
        self._tell(outcome, as_json=options["json"])
        if not settled:
            stands = [str(problem.text) for problem in launching.problems(simulation.canvas, timezone.now())]
            said = f"{outcome.pending:,} users are still pending after {options['timeout']:g} seconds."
            raise CommandError(" ".join([said, *stands]))

    def _tell_scenario(self, options: dict[str, Any]) -> None:
        scenario = scenarios()[options["scenario"]]
        as_json = options["json"]
        if not as_json:
            self.stdout.write(f"{scenario.title}\n{scenario.story}\n")
        try:
            told = tell(
                _workspace(options),
                scenario,
                users=options["users"],
                seconds=options["timeout"],
                say=(lambda line: None) if as_json else self._say,
            )
        except building.CannotBuild as problem:
            raise CommandError(str(problem)) from None
        except DatabaseError as problem:
            raise CommandError(f"The database does not answer ({type(problem).__name__}). Is it migrated?") from None
        if as_json:
            self.stdout.write(json.dumps(told.as_dict()))
        if told.problem:
            raise CommandError(told.problem, returncode=130 if told.interrupted else 1)
        if not as_json:
            self.stdout.write(f"\n{told.summary}")

    def _say(self, line: Line) -> None:
        self.stdout.write(f"{SIGNS.get(line.mark, ' ')} {line.text}" + (f": {line.detail}" if line.detail else ""))
        self.stdout.flush()

    def _tell(self, outcome: simulating.Outcome, *, as_json: bool) -> None:
        figures = asdict(outcome)
        if as_json:
            self.stdout.write(json.dumps(figures))
            return
        for name, value in figures.items():
            shown = f"{value:,}" if isinstance(value, int) and not name.endswith("_id") else str(value)
            self.stdout.write(f"{name.replace('_', ' '):<18}{shown:>20}")


def _launch(options: dict[str, Any]) -> simulating.Simulation:
    workspace = _workspace(options)
    ad_account = building.ad_account_in_use(workspace, options["ad_account"])
    users = _users(workspace, options)
    return simulating.launch(
        users,
        ad_account,
        options["audience"],
        options["operation"],
        options["fields"],
        user=None,
        now=timezone.now(),
    )


def _workspace(options: dict[str, Any]) -> Workspace:
    workspace = Workspace.objects.filter(slug=options["workspace"]).first()
    if workspace is None:
        raise building.CannotBuild(f"There is no workspace “{options['workspace']}”.")
    return workspace


def _users(workspace: Workspace, options: dict[str, Any]) -> Import:
    now = timezone.now()
    path: Path | None = options["csv"]
    if path is None:
        return make_profiles(workspace, options["profiles"], options["missing"], seed=options["seed"], now=now)
    try:
        opened = path.open("rb")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise building.CannotBuild(f"{path} cannot be read: {why}.") from None
    run = Import.objects.create(workspace=workspace, name=path.name[:200])
    with opened:
        run = run_import(run, opened, now=now)
    if run.state != Import.State.DONE:
        raise building.CannotBuild(f"{path.name} was not imported: {run.error_sentence}")
    return run


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"“{text}” is no number of users.")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ArgumentTypeError(f"“{text}” is no share; it must lie between 0 and 1.")
    return share


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e7:
        raise ArgumentTypeError(f"“{text}” is no number of seconds.")
    return seconds


def _fields(text: str) -> MatchField:
    try:
        return MatchField.parse(text)
    except ValueError as problem:
        raise ArgumentTypeError(str(problem)) from None
