"""Kill and break everything that can be, at random, while users enter; then see whether anybody is lost."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.benchmarks import command
from integrations.benchmarks.chaos.running import Asking, Run


class Command(BaseCommand):
    help = (
        "Lets users enter while workers, web, sandbox and database are killed and the partner fails, mends everything, "
        "and compares every user, figure and audience with a model, and every gap between ticks with what is promised. "
        "The sandbox says whether the pace was kept; from 10 minutes on every kind of breakage has to have been hit. "
        "Works on throw-away data only. Exit status 1 when anything differs or a process is left."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=float, default=1.0, help="of chaos; settling and checking come after")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--workers", type=int, default=2)
        parser.add_argument("--audiences", type=int, default=6)
        parser.add_argument("--rate", type=float, default=300.0, help="users a second, on average")
        parser.add_argument("--users-per-request", type=int, default=300, help="small, so that much is in flight")
        parser.add_argument("--settle", type=float, default=900.0, help="seconds until nothing may be pending")
        parser.add_argument("--hurry", action="store_true", help="do not wait for leases and retries in the end")
        parser.add_argument("--shared-server", action="store_true", help="PostgreSQL: never make one to kill")
        command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["minutes"] <= 0 or min(options["workers"], options["audiences"], options["users_per_request"]) < 1:
            raise CommandError("Minutes, workers, audiences and users per request have to be more than 0.")
        if options["inside"]:
            command.inside(lambda folder: _break_everything(folder, options))
            return
        result = command.outside(self, options, own_cluster=not options["shared_server"], log_level="INFO")
        sys.exit(0 if result["ok"] and not result["processes_left"] else 1)


def _break_everything(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    asking = Asking(
        seed=options["seed"],
        seconds=options["minutes"] * 60,
        workers=options["workers"],
        audiences=options["audiences"],
        rate=options["rate"],
        users_per_request=options["users_per_request"],
        settle_seconds=options["settle"],
        hurry=options["hurry"],
    )
    return Run(asking, folder, options["inside"]).run()
