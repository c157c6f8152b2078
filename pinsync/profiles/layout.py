"""Which column of a file means what: the known names map by themselves, all others become attributes."""

import re
from dataclasses import dataclass
from typing import BinaryIO

from pinsync.profiles.csv_reading import FileRefused, Read, Reader, Unreadable, header
from pinsync.profiles.matching import trim
from pinsync.profiles.rows import LONGEST_NAME, MOST_ATTRIBUTES, Row, RowRefused, Value, make_row, typed

# Compared without case, blanks, dots, hyphens and underscores.
_KNOWN = {
    "external_id": (
        "externalid",
        "externaluserid",
        "externalcustomerid",
        "userid",
        "customerid",
        "clientid",
        "memberid",
        "crmid",
    ),
    "email": ("email", "emailaddress", "mail", "useremail", "customeremail"),
    "idfa": ("idfa", "appleidfa", "iosidfa", "appleadvertisingid"),
    "gaid": ("gaid", "aaid", "googleadvertisingid", "googleadid", "androidadvertisingid", "androidadid"),
}
_MEANING = {alias: field for field, aliases in _KNOWN.items() for alias in aliases}
_FILLER = re.compile(r"[\s._-]+")
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Layout:
    """The columns of one file, by index."""

    width: int
    known: dict[str, int]
    attributes: tuple[tuple[int, str], ...]

    def row(self, cells: list[str]) -> Row:
        """Return what these cells say. Raises RowRefused."""
        if len(cells) != self.width:
            raise RowRefused("cells", found=len(cells), expected=self.width)
        known = self.known
        attributes: dict[str, Value] = {}
        for index, name in self.attributes:
            text = cells[index].strip()
            if not text.isascii():
                text = trim(text)
            if text:
                attributes[name] = typed(text)
        return make_row(
            cells[known["external_id"]] if "external_id" in known else "",
            cells[known["email"]] if "email" in known else "",
            cells[known["idfa"]] if "idfa" in known else "",
            cells[known["gaid"]] if "gaid" in known else "",
            attributes,
        )


def layout_of(names: list[str]) -> Layout:
    """Return the layout for a header. Raises FileRefused, naming the column that is wrong."""
    if len(names) > MOST_ATTRIBUTES:
        raise FileRefused("header_too_wide", most=MOST_ATTRIBUTES)
    names = [trim(name) for name in names]
    known: dict[str, int] = {}
    attributes: list[tuple[int, str]] = []
    for index, name in enumerate(names):
        if not name:
            raise FileRefused("header_empty_name", column=index + 1)
        if len(name) > LONGEST_NAME:
            raise FileRefused("header_long_name", column=index + 1, most=LONGEST_NAME)
        if name.casefold() in (earlier.casefold() for earlier in names[:index]):
            raise FileRefused("header_duplicate", name=name)
        meaning = _meaning(name)
        if meaning is None:
            attributes.append((index, name))
        elif meaning in known:
            raise FileRefused("header_same_meaning", first=names[known[meaning]], second=name)
        else:
            known[meaning] = index
    if "external_id" not in known:
        _take_plain_id(names, known, attributes)
    if "external_id" not in known and "email" not in known:
        raise FileRefused("no_identifying_column")
    return Layout(len(names), known, tuple(attributes))


def open_table(file: BinaryIO) -> tuple[Layout, str, Reader]:
    """Return layout, delimiter and the reader behind the header. Raises FileRefused.

    The delimiter is the first of comma, semicolon and tab with which the header names a column that says whom a row
    is about; so a comma inside a quoted name cannot mislead it.
    """
    refused = None
    for delimiter in DELIMITERS:
        try:
            names, reader = header(file, delimiter)
        except FileRefused as error:
            refused = refused or error
            continue
        if any(_meaning(name) in ("external_id", "email") or _is_plain_id(name) for name in names):
            return layout_of(names), delimiter, reader
    raise refused or FileRefused("no_identifying_column")


def problem_or_row(layout: Layout, read: Read | Unreadable) -> Row | Unreadable:
    """Return the row, or why it is not taken."""
    if isinstance(read, Unreadable):
        return read
    try:
        return layout.row(read.cells)
    except RowRefused as refused:
        return Unreadable(read.line, refused.reason, refused.values)


def _meaning(name: str) -> str | None:
    return _MEANING.get(_FILLER.sub("", trim(name)).casefold())


def _is_plain_id(name: str) -> bool:
    return trim(name).casefold() == "id"


def _take_plain_id(names: list[str], known: dict[str, int], attributes: list[tuple[int, str]]) -> None:
    """Read a column called just "id" as the external ID, but only where nothing says so better."""
    for index, name in attributes:
        if _is_plain_id(name):
            known["external_id"] = index
            attributes.remove((index, name))
            return
