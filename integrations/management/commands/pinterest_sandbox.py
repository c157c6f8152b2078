"""Run the bundled Pinterest sandbox."""

from argparse import ArgumentParser
from ipaddress import ip_address
from os import environ
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.pinterest.sandbox import facts
from integrations.pinterest.sandbox.journal import JournalDamaged, JournalInUse
from integrations.pinterest.sandbox.limits import Limits
from integrations.pinterest.sandbox.sandbox import App, Sandbox
from integrations.pinterest.sandbox.server import serve


class Command(BaseCommand):
    """Serve a Pinterest to try things on, until SIGTERM or SIGINT."""

    help = "Run a Pinterest to try things on: OAuth, ad accounts, customer lists, audiences, and Pinterest's limits."
    requires_system_checks: list[str] = []  # it needs neither the database nor the settings of Pinsync

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=environ.get("SANDBOX_PORT", "8100"))
        parser.add_argument("--host", default="127.0.0.1", help="loopback unless said otherwise")
        parser.add_argument("--data", type=Path, help="its memory; $PINSYNC_DATA_DIR/sandbox.journal if not given")
        parser.add_argument("--memory", action="store_true", help="keep nothing in a file")
        parser.add_argument("--records-per-request", type=int, default=facts.RECORDS_PER_REQUEST)
        parser.add_argument("--requests-per-second", type=int, default=facts.WRITES_PER_SECOND)
        parser.add_argument("--requests-per-minute", type=int, default=facts.WRITES_PER_MINUTE)
        parser.add_argument(
            "--access",
            choices=("standard", "trial"),
            default=environ.get("PINTEREST_ACCESS") or "standard",
            help="trial: 1,000 requests a day for the whole app",
        )
        parser.add_argument(
            "--trial-limit",
            type=_limit,
            default=environ.get("PINTEREST_TRIAL_LIMIT") or f"{facts.TRIAL_CALLS}/{facts.TRIAL_SECONDS}",
            help="requests and seconds of trial access; a shorter day is easier to watch",
        )
        parser.add_argument("--app-id", default=facts.APP_ID)
        parser.add_argument("--app-secret", default=facts.APP_SECRET)
        parser.add_argument("--more-people", type=int, default=0, help="Pinterest users person_1, person_2 and so on")
        parser.add_argument("--strict-rotation", action="store_true", help="a used refresh token is dead at once")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        calls, seconds = options["trial_limit"]
        limits = Limits(
            trial_calls=calls if options["access"] == "trial" else None,
            trial_seconds=seconds,
            records_per_request=options["records_per_request"],
            writes_per_second=options["requests_per_second"],
            writes_per_minute=options["requests_per_minute"],
        )
        if min(limits.records_per_request, limits.writes_per_second, limits.writes_per_minute) < 1:
            raise CommandError("A limit has to be at least 1.")
        keeping = {
            "app": App(options["app_id"], options["app_secret"], only_loopback=_is_loopback(host)),
            "strict_rotation": options["strict_rotation"],
        }
        path = options["data"] or Path(settings.DATA_DIR) / "sandbox.journal"
        try:
            in_memory = options["memory"]
            sandbox = Sandbox(None, limits, **keeping) if in_memory else Sandbox.opened(path, limits, **keeping)
            sandbox.world.welcome(options["more_people"])
            self.stdout.write(f"Pinterest sandbox at http://{host}:{port}/")
            serve(sandbox, host, port)
        except JournalInUse as problem:
            raise CommandError(str(problem)) from None
        except JournalDamaged as problem:
            raise CommandError(f"{problem} Move the file away to start anew.") from None
        except OSError as problem:
            raise CommandError(f"Cannot serve at {host}:{port}: {problem.strerror}.") from None


def _limit(text: str) -> tuple[int, float]:
    calls, _, seconds = text.partition("/")
    limit = int(calls), float(seconds)
    if min(limit) < 1:
        raise ValueError
    return limit


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
