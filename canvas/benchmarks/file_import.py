"""How long a CSV file takes on its way in and how much memory, in a process of its own; then the same file again."""

import csv
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from integrations.benchmarks import crowd
from integrations.benchmarks.processes import MANAGE, NotReady

LIMIT_SECONDS = 90.0  # for a million rows
LIMIT_MB = 300.0  # for any number
BAD_EVERY = 100
HEADER = ("external_id", "email", "idfa", "gaid", "country")
COUNTRIES = ("KR", "US", "DE", "JP")
KB = 1024


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Write a file of `rows` rows into `folder` and import it twice. Raises NotReady when an import fails.

    Comes before anything that takes memory in this process: what Linux tells of a child's peak begins with the
    memory of whoever started it.
    """
    path = folder / "users.csv"
    write(path, rows)
    workspace = crowd.workspace("Import")
    bad = rows // BAD_EVERY
    first = _run(folder, path, workspace.slug, {"created": rows - bad, "updated": 0, "rejected": bad})
    again = _run(folder, path, workspace.slug, {"created": 0, "updated": rows - bad, "rejected": bad})
    return {
        "rows": rows,
        "file_mb": round(path.stat().st_size / KB / KB, 1),
        "limit_seconds": LIMIT_SECONDS,
        "limit_mb": LIMIT_MB,
        "first": first,
        "again": again,
    }


def write(path: Path, rows: int) -> None:
    """Write users with all identifiers, no two alike. Every `BAD_EVERY`-th row is bad: two ways in turn."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(1, rows + 1):
            row = [
                f"user-{n}",
                f"user-{n}@example.com",
                f"{n:08x}-0000-4000-8000-{n:012x}",
                f"{n:08x}-0000-4000-9000-{n:012x}",
                COUNTRIES[n % len(COUNTRIES)],
            ]
            if n % BAD_EVERY == 0:  # nobody can say who this is; a cell too few
                row = ["", "n/a", *row[2:]] if n // BAD_EVERY % 2 else row[1:]
            writer.writerow(row)


def _run(folder: Path, path: Path, workspace: str, expected: dict[str, int]) -> dict[str, Any]:
    told, log = folder / "import.json", folder / "import.log"
    with told.open("wb") as output, log.open("ab") as errors:
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  our own command
            [*MANAGE, "import_profiles", "--workspace", workspace, "--json", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # waited for here, not by Popen
    if process.returncode:
        raise NotReady(f"The import ended with status {process.returncode}: {log.read_text()[-500:]}")
    answer = json.loads(told.read_text())
    figures = {name: answer[name] for name in ("created", "updated", "rejected")}
    memory = usage.ru_maxrss / KB
    return {
        "seconds": round(seconds, 2),
        "share_of_limit": round(seconds / LIMIT_SECONDS, 4),
        "rows_per_second": round(answer["rows"] / seconds),
        "peak_mb": round(memory, 1),
        "share_of_limit_mb": round(memory / LIMIT_MB, 4),
        **figures,
        "as_expected": figures == expected,
    }
