"""Read a CSV file of any size, row by row, and survive what people put into one.

Everything that makes the file as a whole unfit is found before the first row is handed out. After that a bad row is a
value, not an end: an unclosed quote costs its own line, and reading goes on with the next one.
"""

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pinsync.logs import redacted

# The csv module refuses longer cells; a row about a user that long is a broken one anyway.
MOST_BYTES = 128 * 1024
MOST_LINES = 200  # a quote open for longer was never meant to span lines
_BLOCK = 1024 * 1024

_SIGNS = {
    b"PK\x03\x04": "spreadsheet",
    b"PK\x05\x06": "spreadsheet",
    b"\xd0\xcf\x11\xe0": "spreadsheet",
    b"\xff\xfe": "utf16",
    b"\xfe\xff": "utf16",
    b"\x00": "binary",
    b"\x89PNG": "binary",
    b"\xff\xd8\xff": "binary",
    b"GIF8": "binary",
    b"%PDF": "binary",
    b"\x1f\x8b": "binary",
    b"<": "markup",
    b"{": "json",
    b"[": "json",
}


class FileRefused(Exception):
    """Nothing of this file can be imported; `reason` and `values` make its sentence (reasons.py).

    Names of columns are cut where they look like a person's: a file without a header has a user in its first line.
    """

    def __init__(self, reason: str, **values: Any) -> None:
        super().__init__(reason)
        self.reason, self.values = reason, redacted(values)


@dataclass(frozen=True, slots=True)
class Read:
    """One row that could be read. `line` is where it begins in the file, counting from 1."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One row that could not."""

    line: int
    reason: str
    values: dict[str, Any]


class _LineTooLong(Exception):
    pass


class _QuoteOpenTooLong(Exception):
    pass


def check(file: BinaryIO) -> None:
    """Read the file once, decoding only. Raises FileRefused when it is empty, no text, or not UTF-8."""
    file.seek(0)
    start = file.read(4096)
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    for sign, reason in _SIGNS.items():
        if start.startswith(sign) or text.startswith(sign):
            raise FileRefused(reason)
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    blank = True
    block = start
    while True:
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise FileRefused("not_utf8", line=line + error.object[: error.start].count(b"\n")) from None
        if not block:
            break
        blank = blank and not block.removeprefix(codecs.BOM_UTF8).strip()
        line += block.count(b"\n")
        block = file.read(_BLOCK)
    if blank:
        raise FileRefused("empty")
    if b"\x00" in start.partition(b"\n")[0]:
        raise FileRefused("utf16" if start.count(b"\x00") * 3 > len(start) else "binary")


class _Lines:
    """The physical lines of a file as text; knows where it stands and can go back to the second line of a row."""

    def __init__(self, file: BinaryIO, position: int, line: int) -> None:
        file.seek(position)
        self._file = file
        self.position, self.line = position, line  # bytes and lines behind us
        self._row: list[tuple[str, int]] = []
        self._row_bytes = 0
        self._again: deque[tuple[str, int]] = deque()
        self.nul = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._row and (len(self._row) >= MOST_LINES or self._row_bytes > MOST_BYTES):
            raise _QuoteOpenTooLong
        if self._again:
            text, size = self._again.popleft()
        else:
            raw = self._file.readline(MOST_BYTES + 1)
            if not raw:
                raise StopIteration
            size = len(raw)
            if size > MOST_BYTES:
                self._skip_rest(raw)
                raise _LineTooLong
            text = raw.decode("utf-8-sig" if self.position == 0 else "utf-8")
        self.position += size
        self.line += 1
        self._row.append((text, size))
        self._row_bytes += size
        if "\0" in text:
            self.nul = True
        return text

    def begin_row(self) -> None:
        self._row.clear()
        self._row_bytes = 0
        self.nul = False

    def back_to_second_line(self) -> None:
        """Give all but the first line of the current row out again."""
        again = self._row[1:]
        self._again.extendleft(reversed(again))
        self.position -= sum(size for _text, size in again)
        self.line -= len(again)

    def _skip_rest(self, raw: bytes) -> None:
        self.position += len(raw)
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(MOST_BYTES)
            self.position += len(raw)
        self.line += 1


class Reader:
    """The rows of a checked file behind its header. `position` and `line` tell where reading may be taken up again."""

    def __init__(self, file: BinaryIO, delimiter: str, *, position: int, line: int) -> None:
        self._lines = _Lines(file, position, line)
        self._rows = csv.reader(self._lines, delimiter=delimiter, strict=True)

    @property
    def position(self) -> int:
        return self._lines.position

    @property
    def line(self) -> int:
        return self._lines.line

    def __iter__(self) -> Iterator[Read | Unreadable]:
        lines, rows = self._lines, self._rows
        while True:
            lines.begin_row()
            line = lines.line + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except (_QuoteOpenTooLong, csv.Error):
                lines.back_to_second_line()
                yield Unreadable(line, "quote_open", {})
            except _LineTooLong:
                yield Unreadable(line, "line_too_long", {"most": MOST_BYTES})
            else:
                if lines.nul:
                    yield Unreadable(line, "nul", {})
                elif cells:
                    yield Read(line, cells)


def header(file: BinaryIO, delimiter: str) -> tuple[list[str], Reader]:
    """Return the cells of the first row that has any, and the reader of what follows. Raises FileRefused."""
    reader = Reader(file, delimiter, position=0, line=0)
    for first in reader:
        if isinstance(first, Unreadable):
            raise FileRefused("header_unreadable")
        return first.cells, reader
    raise FileRefused("empty")
