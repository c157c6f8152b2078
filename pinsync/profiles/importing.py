"""Take a CSV file in: chunk by chunk, so that memory does not grow with the file.

A chunk's rows, its problems and how far the run has come are one transaction: a run that is cut off anywhere goes on
behind its last whole chunk, and its figures stay true. Whoever holds the lease works on a run, nobody else.
"""

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django_q.tasks import async_task

from pinsync.profiles import csv_reading
from pinsync.profiles.csv_reading import FileRefused, Reader, Unreadable
from pinsync.profiles.layout import Layout, open_table, problem_or_row
from pinsync.profiles.models import Import, ImportProblem
from pinsync.profiles.rows import Row
from pinsync.profiles.upserting import write
from pinsync.workspaces import audit
from pinsync.workspaces.models import User, Workspace

ROWS_PER_CHUNK = 10_000
BYTES_PER_CHUNK = 8 * 1024 * 1024  # wide rows make fewer of them, so that memory stays flat
LEASE = timedelta(minutes=2)  # far more than a chunk takes
TASK = "pinsync.profiles.tasks.continue_import"
_COPY_BLOCK = 1024 * 1024


class LeaseLost(Exception):
    """Somebody else took this run over; what we committed stays, what we hold is theirs to do again."""


@dataclass
class _Chunk:
    """Problems and rows, and where the file goes on behind the last of them."""

    problems: list[Unreadable] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    position: int = 0
    line: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.problems)


def run_import(
    run: Import,
    file: BinaryIO,
    *,
    now: datetime,
    seconds: float | None = None,
    after_chunk: Callable[[Import], None] | None = None,
) -> Import:
    """Work on a run until its file ends, or for about `seconds`; return it with fresh figures.

    Safe to repeat at any moment: it goes on where the last whole chunk ended, and does nothing with a run that is
    finished or in somebody else's hands. A file that cannot be read as a whole makes it FAILED, not an exception.
    """
    started = time.monotonic()
    if not _claim(run, now):
        run.refresh_from_db()
        return run
    worked_before = run.worked_seconds
    try:
        layout, reader = _open(run, file)
        with closing(_one_ahead(_chunks(reader, layout))) as chunks:
            for chunk in chunks:
                _take(run, chunk, now=now, worked=time.monotonic() - started, worked_before=worked_before)
                if after_chunk:
                    after_chunk(run)
                if seconds is not None and time.monotonic() - started > seconds:
                    _let_go(run)
                    return run
    except FileRefused as refused:
        finish(run, Import.State.FAILED, refused.reason, now=now, **refused.values)
        return run
    except LeaseLost:
        run.refresh_from_db()
        return run
    except UnicodeDecodeError:  # the file was whole when it was checked
        finish(run, Import.State.FAILED, "file_changed", now=now)
        return run
    finish(run, Import.State.DONE, now=now + timedelta(seconds=time.monotonic() - started))
    return run


def start_import(
    workspace: Workspace, name: str, source: Path | UploadedFile, user: User | None, *, now: datetime
) -> Import:
    """Keep a copy of the file, return a WAITING run, and ring the workers."""
    run = Import(workspace=workspace, name=name[:200], created_by=user, created_at=now)
    run.path = f"imports/{uuid4().hex}.csv"
    place = stored(run)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as copy:
        place.chmod(0o600)
        for block in _blocks(source):
            copy.write(block)
    run.bytes_total = place.stat().st_size
    run.lease_until = now + LEASE
    with transaction.atomic():
        run.save()
        audit.record(workspace, user, "import.started", run.name, now=now, run=run.pk, bytes=run.bytes_total)
        ring(run)
    return run


def ring(run: Import) -> None:
    """Ask the workers to go on with this run, once the current transaction is done."""
    transaction.on_commit(lambda: async_task(TASK, run.pk, save=False))


def take_up(now: datetime) -> int:
    """Ring for the runs that nobody works on: their doorbell was lost, or their worker died. Return how many."""
    idle = Q(state=Import.State.WAITING) & (Q(lease_until=None) | Q(lease_until__lt=now))
    dead = Q(state=Import.State.RUNNING, lease_until__lt=now)
    rung = 0
    for run in Import.objects.filter(idle | dead, path__gt="").order_by("pk"):
        # A lease on a WAITING run only says: rung for, do not ring again too soon.
        ours = Import.objects.filter(pk=run.pk, state=run.state, lease_until=run.lease_until)
        if ours.update(state=Import.State.WAITING, lease_until=now + LEASE):
            ring(run)
            rung += 1
    return rung


def stored(run: Import) -> Path:
    """Return where the run's file is kept until it is done."""
    return Path(settings.MEDIA_ROOT) / run.path


def finish(run: Import, state: Import.State, error: str = "", *, now: datetime, **values: object) -> bool:
    """End a run and delete its file; return whether it was still open."""
    ended = _end(run, state, now=now, error=error, error_values=values)
    if ended and run.path:
        stored(run).unlink(missing_ok=True)
    run.refresh_from_db()
    return ended


def cancel(run: Import, user: User, *, now: datetime) -> bool:
    """Read no more of a run's file; what was taken stays. Return whether it was still under way.

    A worker that is at it finds so when it wants to save its chunk, and saves nothing of it.
    """
    if not run.may_cancel:
        return False
    with transaction.atomic():
        ended = _end(run, Import.State.CANCELLED, now=now)
        if ended:
            rows = Import.objects.values_list("rows", flat=True).get(pk=run.pk)
            audit.record(run.workspace, user, "import.cancelled", run.name, now=now, run=run.pk, rows=rows)
    if ended and run.path:
        stored(run).unlink(missing_ok=True)
    run.refresh_from_db()
    return ended


def _end(run: Import, state: Import.State, *, now: datetime, **changes: object) -> bool:
    is_open = Import.objects.filter(pk=run.pk, state__in=(Import.State.WAITING, Import.State.RUNNING))
    return is_open.update(state=state, finished_at=now, lease_until=None, path="", **changes) == 1


def _claim(run: Import, now: datetime) -> bool:
    free = Q(state=Import.State.WAITING) | Q(state=Import.State.RUNNING, lease_until__lt=now)
    claimed = Import.objects.filter(free, pk=run.pk).update(state=Import.State.RUNNING, lease_until=now + LEASE)
    if claimed:
        run.refresh_from_db()
    return claimed == 1


def _let_go(run: Import) -> None:
    Import.objects.filter(pk=run.pk, state=Import.State.RUNNING, lease_until=run.lease_until).update(
        state=Import.State.WAITING, lease_until=None
    )
    run.refresh_from_db()


def _open(run: Import, file: BinaryIO) -> tuple[Layout, Reader]:
    """Check the file on the first visit, and return its rows from where the run stands."""
    if not run.bytes_done:
        csv_reading.check(file)
    layout, delimiter, reader = open_table(file)
    if run.bytes_done:
        reader = Reader(file, delimiter, position=run.bytes_done, line=run.lines_done)
    if not run.bytes_total:
        here = file.tell()
        run.bytes_total = file.seek(0, 2)
        file.seek(here)
        Import.objects.filter(pk=run.pk).update(bytes_total=run.bytes_total)
    return layout, reader


def _chunks(reader: Reader, layout: Layout) -> Iterator[_Chunk]:
    chunk = _Chunk()
    start = reader.position
    for read in reader:
        taken = problem_or_row(layout, read)
        if isinstance(taken, Unreadable):
            chunk.problems.append(taken)
        else:
            chunk.rows.append(taken)
        chunk.position, chunk.line = reader.position, reader.line
        if len(chunk) >= ROWS_PER_CHUNK or reader.position - start >= BYTES_PER_CHUNK:
            yield chunk
            chunk, start = _Chunk(), reader.position
    if len(chunk):
        yield chunk


def _one_ahead(chunks: Iterator[_Chunk]) -> Generator[_Chunk]:
    """Yield the same, while a thread reads the next one: reading costs as much as the database takes to write.

    What reading raises comes when the chunks before it were taken.
    """
    with ThreadPoolExecutor(1, "reader") as pool:
        coming = pool.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = pool.submit(next, chunks, None)
            yield chunk


def _take(run: Import, chunk: _Chunk, *, now: datetime, worked: float, worked_before: float) -> None:
    """Write one chunk and how far the run has come, or nothing. Raises LeaseLost.

    `worked`: the seconds since `now`; `worked_before`: those of earlier visits.
    """
    figures = {
        "rows": run.rows + len(chunk),
        "rejected": run.rejected + len(chunk.problems),
        "bytes_done": chunk.position,
        "lines_done": chunk.line,
        "worked_seconds": worked_before + worked,
        "lease_until": now + timedelta(seconds=worked) + LEASE,
    }
    with transaction.atomic():
        written = write(run.workspace, chunk.rows, run=run, now=now)
        figures |= {"created": run.created + written.created, "updated": run.updated + written.updated}
        ImportProblem.objects.bulk_create(
            [ImportProblem(run=run, line=one.line, reason=one.reason, values=one.values) for one in chunk.problems],
            batch_size=1_000,
        )
        ours = Import.objects.filter(pk=run.pk, state=Import.State.RUNNING, lease_until=run.lease_until)
        if ours.update(**figures) != 1:
            raise LeaseLost
    for name, value in figures.items():
        setattr(run, name, value)


def _blocks(source: Path | UploadedFile) -> Iterator[bytes]:
    if isinstance(source, UploadedFile):
        yield from source.chunks(_COPY_BLOCK)
        return
    with closing(source.open("rb")) as file:
        while block := file.read(_COPY_BLOCK):
            yield block
