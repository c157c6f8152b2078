"""Measure a launch, and the import of a file, on data of their own."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from canvas.benchmarks import file_import, launch
from integrations.benchmarks import command


class Command(BaseCommand):
    help = (
        "Measures how long it takes until everybody has entered a launched Canvas (--launch), and until a CSV file is "
        "imported (--import), each against its limit. Works on throw-away data; prints one JSON object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--launch", type=int, default=0, metavar="N", help="a Canvas on N profiles")
        parser.add_argument("--import", type=int, default=0, metavar="M", help="a file of M rows, twice")
        parser.add_argument("--own-server", action="store_true", help="PostgreSQL: make a server for this run")
        command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        users, rows = options["launch"], options["import"]
        if min(users, rows) < 0 or not users + rows:
            raise CommandError("Say how much is to be measured: --launch N users, --import M rows, or both.")
        if options["inside"]:
            command.inside(lambda folder: _measure(folder, users, rows))
        else:
            command.outside(self, options, own_cluster=options["own_server"])


def _measure(folder: Path, users: int, rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {"database": connection.vendor}
    if rows:
        found["import"] = file_import.measure(folder, rows)
    if users:
        found["launch"] = launch.measure(users)
    return found
