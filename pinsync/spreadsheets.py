"""CSV for people: what they open it with takes some cells for formulas."""

import csv
from collections.abc import Iterable, Iterator

BYTE_ORDER_MARK = "\ufeff"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of one


class _Echo:
    """A file for csv.writer that hands back what is written: rows leave one by one."""

    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the mark by which Excel knows a file for UTF-8, then CSV lines in which no cell is a formula.

    A number below zero stays one.
    """
    yield BYTE_ORDER_MARK
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([_plain(cell) for cell in row])


def _plain(cell: str) -> str:
    is_formula = cell[:1] in FORMULA and not cell.removeprefix("-").isdecimal()
    return f"'{cell}" if is_formula else cell
