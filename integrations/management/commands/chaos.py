"""Kill and break everything that can be, at random, while users enter; then see whether anybody is lost."""

import json
import signal
import sys
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from integrations.benchmarks import ground
from integrations.benchmarks.chaos.running import Asking, Run
from integrations.benchmarks.processes import NotReady


class Command(BaseCommand):
    help = (
        "Lets users enter while workers, web, sandbox and database are killed and the partner fails, mends everything, "
        "and compares every user, figure and audience with a model. Works on throw-away data only. Exit status 1 "
        "when anything differs."
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
        parser.add_argument("--keep", action="store_true", help="keep logs and data of the run")
        parser.add_argument("--json", action="store_true", help="print nothing but the result")
        parser.add_argument("--inside", default="", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["minutes"] <= 0 or min(options["workers"], options["audiences"], options["users_per_request"]) < 1:
            raise CommandError("Minutes, workers, audiences and users per request have to be more than 0.")
        if options["inside"]:
            self._inside(options)
            return
        try:
            with ground.throw_away(own_cluster=not options["shared_server"], keep=options["keep"]) as made:
                database = "own cluster" if made.cluster else connection.vendor
                if not options["json"]:
                    self.stderr.write(f"On throw-away ground: {made.folder}, {database}")
                status = made.run([*sys.argv[1:], "--inside", database], LOG_LEVEL="INFO")
                result = ground.read_result(made)
                left = made.sweep()
        except NotReady as problem:
            raise CommandError(str(problem)) from None
        if result is None:
            raise CommandError(f"The run ended without a result, with status {status}.", returncode=status or 1)
        result["processes_left"] = left
        self.stdout.write(json.dumps(result, indent=None if options["json"] else 2))
        sys.exit(0 if result["ok"] else 1)

    def _inside(self, options: dict[str, Any]) -> None:
        folder = ground.inside()
        signal.signal(signal.SIGTERM, ground.stop)
        signal.signal(signal.SIGINT, ground.stop)
        call_command("migrate", verbosity=0)
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
        ground.write_result(folder, Run(asking, folder, options["inside"]).run())
