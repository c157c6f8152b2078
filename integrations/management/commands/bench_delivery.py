"""Measure delivery against the partner's limit, or against itself, on data and processes of its own."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.benchmarks import command, fairness, history, steady, throughput
from integrations.benchmarks.steady import Traffic

SOAK_SECONDS = 600.0
SOAK_RATE = 640.0  # users a second, in requests of 100: nearly as many requests as may be made
SOAK_USERS_PER_REQUEST = 100
STEADY_SECONDS = 120.0
SHARED_SECONDS = 60.0


class Command(BaseCommand):
    help = (
        "Measures delivery: many users at once (default), a steady stream (--steady), many small audiences (--shared), "
        "ten minutes at the limit (--soak), a long history (--history), or a few beside a crowd (--fairness). "
        "Works on throw-away data, with a sandbox and workers of its own; prints one JSON object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--users", type=int, default=100_000, help="of each Pinterest user")
        parser.add_argument("--pinterest-users", type=int, default=1)
        parser.add_argument("--latency", type=int, default=150, help="of every answer of the sandbox, in ms")
        parser.add_argument("--workers", type=int, default=0, help="manage.py worker processes; 3 for --soak, else 1")
        parser.add_argument("--entering", action="store_true", help="they enter while the workers deliver, not before")
        parser.add_argument("--steady", type=float, metavar="RATE", help="users a second, adds and removals")
        parser.add_argument("--shared", action="store_true", help="3 users a second for each of 20 audiences")
        parser.add_argument("--soak", action="store_true", help="2 workspaces, 6 audiences, 3 workers, at the limit")
        parser.add_argument("--history", type=int, metavar="N", help="N deliveries lie behind, against 100,000")
        parser.add_argument("--fairness", type=int, metavar="N", help="N users wait while 50 enter another audience")
        parser.add_argument("--seconds", type=float, help="how long users arrive")
        parser.add_argument("--audiences", type=int, help="10 for --steady, 20 for --shared, 6 for --soak")
        parser.add_argument("--own-server", action="store_true", help="PostgreSQL: make a server for this run")
        command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if min(options["users"], options["pinterest_users"]) < 1 or options["workers"] < 0:
            raise CommandError("Users and Pinterest users have to be at least 1.")
        if options["history"] is not None and options["history"] <= history.SHORT:
            raise CommandError(f"A history that is measured against {history.SHORT:,} deliveries has to be longer.")
        if options["inside"]:
            command.inside(lambda folder: _measure(folder, options))
        else:
            command.outside(self, options, own_cluster=options["own_server"])


def _measure(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    workers = options["workers"] or (3 if options["soak"] else 1)
    if options["history"]:
        return history.measure(folder, deliveries=options["history"])
    if options["fairness"]:
        return fairness.measure(folder, users=options["fairness"], latency=options["latency"], workers=workers)
    traffic = _traffic(options)
    if traffic:
        return steady.measure(folder, traffic, workers=workers)
    return throughput.measure(
        folder,
        users=options["users"],
        people=options["pinterest_users"],
        latency=options["latency"],
        workers=workers,
        entering=options["entering"],
    )


def _traffic(options: dict[str, Any]) -> Traffic | None:
    latency = options["latency"]
    if options["soak"]:
        return Traffic(
            "soak",
            audiences=options["audiences"] or 6,
            operations=("add", "remove"),
            users_per_beat=round((options["steady"] or SOAK_RATE) / 4),
            beat=0.25,
            seconds=options["seconds"] or SOAK_SECONDS,
            workspaces=2,
            creates_audiences=True,
            users_per_request=SOAK_USERS_PER_REQUEST,
            latency=latency,
        )
    if options["shared"]:
        audiences = options["audiences"] or 20
        seconds = options["seconds"] or SHARED_SECONDS
        return Traffic("shared", audiences, ("add", "add"), audiences * 3, 1.0, seconds, latency=latency)
    if options["steady"]:
        rate, seconds = options["steady"], options["seconds"] or STEADY_SECONDS
        audiences = options["audiences"] or 10
        return Traffic("steady", audiences, ("add", "remove"), max(round(rate / 10), 1), 0.1, seconds, latency=latency)
    return None
