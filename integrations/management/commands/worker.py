"""Run one worker: the task cluster, the 5-second tick and their supervisor. Any number may run, on any machines."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from integrations.delivery.worker import Parent, supervise, worker_name


class Command(BaseCommand):
    help = "Delivers users to partners and runs everything that takes time. Stops cleanly on SIGTERM and Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--cluster",
            type=int,
            metavar="PID",
            help="the supervised part; started by the supervisor of this process id",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        settings.DEBUG = False  # shows nothing here, but makes every connection remember its queries
        if options["cluster"]:
            sys.exit(Parent(worker_name(), options["cluster"]).run())
        sys.exit(supervise())
