"""CSV that people open with a spreadsheet."""

import pytest

from pinsync.spreadsheets import csv_lines


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("-1", "-1"), ("-x", "'-x"), ("@a", "'@a"), ("+1", "'+1"), ("Winter", "Winter"), ("", "")],
)
def test_no_cell_is_a_formula(cell, written):
    assert list(csv_lines([[cell, "x"]])) == ["\ufeff", f"{written},x\r\n"]
