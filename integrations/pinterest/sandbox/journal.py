"""The journal: every change to the sandbox, a JSON line each, with the operating system before it is answered.

A room (the world, the tokens, the faults, the limits' windows) changes only through methods marked `@journaled`.
Killing the process at any moment loses nothing that was answered: the next start replays the lines. The last line may
be torn: it was never answered, and is left out.

What was changed and changed back stays in the file, so it is made small again: at the start, and by a thread as often
as it has doubled. That thread replays what is written so far into rooms of its own, and writes what they hold into a
new file; only while it copies what came meanwhile, and puts the new file in the place of the old one, does everybody
else wait. Killed before, the old file is whole; killed after, the new one is.
"""

import fcntl
import json
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, Concatenate, ParamSpec, TypeVar

log = logging.getLogger("pinsync.sandbox")
Line = dict[str, Any]
Shorter = Callable[[Iterator[Line]], Iterable[Line]]
P = ParamSpec("P")
R = TypeVar("R")

COPY_AT_ONCE = 1_000_000  # bytes
COMPACT_AFTER = 512_000_000  # bytes that may come on top of what the file was when it was made small last
RoomType = TypeVar("RoomType", bound="Room")


class JournalDamaged(Exception):
    """A line in the middle of the journal cannot be read."""


class JournalInUse(Exception):
    """Another process writes this journal."""


class Journal:
    """An append-only file of JSON lines, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.lock = threading.RLock()
        self.descriptor = self._open(path)
        self._beside(".compact").unlink(missing_ok=True)  # of a process that was killed
        self.shorter: Shorter | None = None  # returns other lines that mean the same; without it, nothing is made small
        self.compact_after = COMPACT_AFTER
        self._base = 0  # bytes, when it was made small last
        self._compacting: threading.Thread | None = None

    @staticmethod
    def _open(path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise JournalInUse(f"Another sandbox is using {path}.") from None
        return descriptor

    def append(self, line: Line) -> None:
        """Write one line. It is with the operating system when this returns."""
        end = os.lseek(self.descriptor, 0, os.SEEK_END)
        try:
            self._write(self.descriptor, line)
        except OSError:
            os.ftruncate(self.descriptor, end)  # half a line would make the next one unreadable
            raise
        if self.shorter and self._compacting is None and end - self._base > max(self.compact_after, self._base):
            self._compacting = threading.Thread(target=self._compact, name="compact", daemon=True)
            self._compacting.start()

    def lines(self) -> Iterator[Line]:
        """Read every whole line."""
        with self.path.open("rb") as file:
            yield from self._lines(file)

    def _lines(self, raws: Iterable[bytes]) -> Iterator[Line]:
        for number, raw in enumerate(raws, start=1):
            if not raw.endswith(b"\n"):
                return  # torn by a kill while it was written: nobody got an answer for it
            try:
                line = json.loads(raw)
            except ValueError:
                raise JournalDamaged(f"Line {number} of {self.path} cannot be read.") from None
            yield line

    def rewrite(self, lines: Iterable[Line]) -> None:
        """Replace the content in one step: after a crash the file is either the old or the new one."""
        descriptor = self._begin(".new")
        for line in lines:
            self._write(descriptor, line)
        os.fsync(descriptor)
        self._become(".new", descriptor)

    def close(self) -> None:
        """Let go of the file."""
        if self._compacting:
            self._compacting.join()
        os.close(self.descriptor)

    def _compact(self) -> None:
        with self.lock:
            base = os.lseek(self.descriptor, 0, os.SEEK_END)
            file = self.path.open("rb")
        new: int | None = None
        try:
            assert self.shorter is not None
            new = self._begin(".compact")
            for line in self.shorter(self._lines(_up_to(file, base))):
                self._write(new, line)
            os.fsync(new)
            with self.lock:
                if os.path.samestat(os.fstat(file.fileno()), os.fstat(self.descriptor)):
                    _copy(file, base, new)
                    self._become(".compact", new)
                    new = None
        except (OSError, JournalDamaged):
            log.exception("journal not made small")
        finally:
            file.close()
            if new is not None:  # it failed, or all was forgotten meanwhile (reset); the old file goes on
                os.close(new)
            with self.lock:
                self._base = os.lseek(self.descriptor, 0, os.SEEK_END)
                self._compacting = None

    def _begin(self, ending: str) -> int:
        """Open an empty file beside the journal."""
        path = self._beside(ending)
        path.unlink(missing_ok=True)
        return self._open(path)

    def _become(self, ending: str, descriptor: int) -> None:
        """Put the file beside the journal in its place."""
        self._beside(ending).replace(self.path)
        os.close(self.descriptor)
        self.descriptor = descriptor
        self._base = os.lseek(descriptor, 0, os.SEEK_END)

    def _beside(self, ending: str) -> Path:
        return self.path.with_suffix(f"{self.path.suffix}{ending}")

    @staticmethod
    def _write(descriptor: int, line: Line) -> None:
        records = line.get("records")
        if isinstance(records, str):
            # Digests and commas: looking for something to escape in 120 kB would cost more than all the rest.
            head = json.dumps({key: value for key, value in line.items() if key != "records"}).encode()
            content = b'%b, "records": "%b"}\n' % (head[:-1], records.encode())
        else:
            content = json.dumps(line).encode() + b"\n"
        _write_all(descriptor, content)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _copy(file: BinaryIO, start: int, descriptor: int) -> None:
    """Append what stands in a file behind `start`."""
    file.seek(start)
    while content := file.read(COPY_AT_ONCE):
        _write_all(descriptor, content)


def _up_to(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Yield the lines of a file that lie before a place in it; there a line ends."""
    while file.tell() < end:
        yield file.readline()


class Room(ABC):
    """A part of the sandbox's memory that the journal can rebuild."""

    name: str

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal
        self.lock = journal.lock if journal else threading.RLock()

    @abstractmethod
    def dump(self) -> Iterator[Line]:
        """Return lines which, replayed in a fresh room, give this one."""

    def replay(self, line: Line) -> None:
        """Do again what a line says, without writing it again."""
        values = {key: value for key, value in line.items() if key not in ("room", "do")}
        getattr(type(self), line["do"]).unwritten(self, **values)


def journaled(
    method: Callable[Concatenate[RoomType, P], R],
) -> Callable[Concatenate[RoomType, P], R]:
    """Mark a change: written to the journal first, then done, one at a time. It takes named JSON values only."""

    @wraps(method)
    def written(room: RoomType, /, *args: P.args, **values: P.kwargs) -> R:
        with room.lock:
            if room.journal:
                room.journal.append({"room": room.name, "do": method.__name__, **values})
            return method(room, *args, **values)

    written.unwritten = method  # type: ignore[attr-defined]
    return written
