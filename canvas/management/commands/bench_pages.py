"""Measure every page, on data of their own."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from canvas.benchmarks import pages
from integrations.benchmarks import command

LEAST = 4_000  # two full batches


class Command(BaseCommand):
    help = (
        "Measures what every page costs while N users lie behind it and some are pending: the server's milliseconds "
        "(median of several), queries, and bytes of gzipped HTML, against 100 ms and 15 queries a page. Works on "
        "throw-away data; prints one JSON object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--users", type=int, default=1_000_000, metavar="N", help="sent before; at least 4,000")
        parser.add_argument("--looks", type=int, default=7, help="times that a page is asked; the median counts")
        parser.add_argument("--own-server", action="store_true", help="PostgreSQL: make a server for this run")
        command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["users"] < LEAST:
            raise CommandError(f"A past takes at least {LEAST:,} users.")
        if options["looks"] < 1:
            raise CommandError("--looks has to be at least 1.")
        if options["inside"]:
            command.inside(lambda folder: pages.measure(folder, number=options["users"], looks=options["looks"]))
        else:
            command.outside(self, options, own_cluster=options["own_server"])
