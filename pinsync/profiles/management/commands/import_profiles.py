"""`manage.py import_profiles --workspace SLUG FILE [--json]`"""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pinsync.profiles.importing import finish, run_import
from pinsync.profiles.models import Import
from pinsync.workspaces.models import Workspace

SHOWN_PROBLEMS = 20


class Command(BaseCommand):
    help = "Import profiles from a CSV file (UTF-8; the first line names the columns)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--workspace", required=True, help="the workspace's name in its address")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")

    def handle(self, *args: Any, file: Path, workspace: str, **options: Any) -> None:
        found = Workspace.objects.filter(slug=workspace).first()
        if found is None:
            raise CommandError(f"There is no workspace “{workspace}”.")
        try:
            opened = file.open("rb")
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        run = Import.objects.create(workspace=found, name=file.name[:200])
        try:
            with opened:
                run = run_import(run, opened, now=timezone.now(), after_chunk=_draw)
        except BaseException:  # also Ctrl-C: nobody else has the file to go on with
            finish(run, Import.State.FAILED, "failed", now=timezone.now())
            raise
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
        if options["json"]:
            self.stdout.write(json.dumps(_figures(run)))
        if run.state == Import.State.CANCELLED:
            raise CommandError(f"Cancelled on its page: {run.rows:,} rows were read, the rest was not.")
        if run.state != Import.State.DONE:
            raise CommandError(run.error_sentence or "Something else works on this import.")
        if not options["json"]:
            self._tell(run)

    def _tell(self, run: Import) -> None:
        self.stdout.write(
            f"{run.rows:,} rows: {run.created:,} made a profile, {run.updated:,} met one, {run.rejected:,} rejected."
        )
        for problem in run.problems.order_by("line")[:SHOWN_PROBLEMS]:
            self.stdout.write(f"  line {problem.line}: {problem.sentence}")
        if run.rejected > SHOWN_PROBLEMS:
            self.stdout.write(f"  and {run.rejected - SHOWN_PROBLEMS:,} more; the page of import {run.pk} lists them.")


def _figures(run: Import) -> dict[str, Any]:
    return {
        "import_id": run.pk,
        "state": run.state,
        "error": run.error_sentence,
        "rows": run.rows,
        "created": run.created,
        "updated": run.updated,
        "rejected": run.rejected,
    }


def _draw(run: Import) -> None:
    """Draw a progress bar on stderr, if somebody is there to see it."""
    if sys.stderr.isatty():
        bar = "█" * (run.percent * 30 // 100)
        sys.stderr.write(f"\r{bar:<30} {run.percent:3}%  {run.rows:,} rows")
        sys.stderr.flush()
