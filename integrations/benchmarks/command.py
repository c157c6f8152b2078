"""What the commands on throw-away ground have in common: a person starts them outside, they work inside."""

import json
import signal
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from integrations.benchmarks import ground
from integrations.benchmarks.processes import NotReady


def add_arguments(parser: ArgumentParser) -> None:
    """Add what every such command takes. `inside` is empty outside, and names the database of the ground inside."""
    parser.add_argument("--keep", action="store_true", help="keep logs and data of the run")
    parser.add_argument("--json", action="store_true", help="print the result on one line, and nothing else")
    parser.add_argument("--inside", default="", help=SUPPRESS)


def outside(
    command: BaseCommand, options: dict[str, Any], *, own_cluster: bool, log_level: str = "WARNING"
) -> dict[str, Any]:
    """Run the command once more on throw-away ground; print its result and return it.

    Raises CommandError where the run ends without one.
    """
    try:
        with ground.throw_away(own_cluster=own_cluster, keep=options["keep"]) as made:
            if not options["json"]:
                command.stderr.write(f"On throw-away ground: {made.folder} ({made.database})")
            status = made.run([*sys.argv[1:], "--inside", made.database], LOG_LEVEL=log_level)
            result = ground.read_result(made)
            left = made.sweep()
    except NotReady as problem:
        raise CommandError(str(problem)) from None
    if result is None:
        raise CommandError(f"The run ended without a result, with status {status}.", returncode=status or 1)
    result["processes_left"] = left
    command.stdout.write(json.dumps(result, indent=None if options["json"] else 2))
    return result


def inside(measure: Callable[[Path], dict[str, Any]]) -> None:
    """Measure on the ground that we stand on, and hand the result to the command outside. Raises CommandError."""
    folder = ground.inside()
    signal.signal(signal.SIGTERM, ground.stop)
    signal.signal(signal.SIGINT, ground.stop)
    call_command("migrate", verbosity=0)
    try:
        ground.write_result(folder, measure(folder))
    except NotReady as problem:
        raise CommandError(str(problem)) from None
