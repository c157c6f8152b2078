"""The journal: every change to the sandbox, a JSON line each, with the operating system before it is answered.

A room (the world, the tokens, the faults, the limits' windows) changes only through methods marked `@journaled`.
Killing the process at any moment loses nothing that was answered: the next start replays the lines. The last line may
be torn: it was never answered, and is left out.
"""

import fcntl
import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

Line = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")
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

    def lines(self) -> Iterator[Line]:
        """Read every whole line."""
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.endswith(b"\n"):
                    return  # torn by a kill while it was written: nobody got an answer for it
                try:
                    line = json.loads(raw)
                except ValueError:
                    raise JournalDamaged(f"Line {number} of {self.path} cannot be read.") from None
                yield line

    def rewrite(self, lines: Iterable[Line]) -> None:
        """Replace the content in one step: after a crash the file is either the old or the new one."""
        new_path = self.path.with_suffix(f"{self.path.suffix}.new")
        new_path.unlink(missing_ok=True)
        descriptor = self._open(new_path)
        for line in lines:
            self._write(descriptor, line)
        os.fsync(descriptor)
        new_path.replace(self.path)
        os.close(self.descriptor)
        self.descriptor = descriptor

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)

    @staticmethod
    def _write(descriptor: int, line: Line) -> None:
        records = line.get("records")
        if isinstance(records, str):
            # Digests and commas: looking for something to escape in 120 kB would cost more than all the rest.
            head = json.dumps({key: value for key, value in line.items() if key != "records"}).encode()
            content = b'%b, "records": "%b"}\n' % (head[:-1], records.encode())
        else:
            content = json.dumps(line).encode() + b"\n"
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


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
