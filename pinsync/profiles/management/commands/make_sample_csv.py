"""`manage.py make_sample_csv [FILE]`: write the bundled sample anew, byte for byte."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from pinsync.profiles.sample_csv import ROWS, SAMPLE, write_sample


class Command(BaseCommand):
    help = "Write a made-up, messy customer export; the same seed gives the same file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", default=SAMPLE)
        parser.add_argument("--rows", type=int, default=ROWS)
        parser.add_argument("--seed", type=int, default=2026)

    def handle(self, *args: Any, file: Path, rows: int, seed: int, **options: Any) -> None:
        with file.open("w", newline="", encoding="utf-8-sig") as opened:
            write_sample(opened, rows=rows, seed=seed)
        self.stdout.write(f"{rows:,} rows in {file}.")
