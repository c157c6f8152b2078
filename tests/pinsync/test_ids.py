"""Ids that come from outside."""

import pytest

from pinsync.ids import may_be_ids, row_id


@pytest.mark.parametrize(("text", "expected"), [("7", 7), ("0", 0), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_an_id(text, expected):
    assert row_id(text) == expected


@pytest.mark.parametrize("text", ["", " 7", "-7", "7.0", "7a", "²", "٣", "9" * 19, "9" * 5_000])
def test_what_is_none(text):
    assert row_id(text) is None


def test_a_number_that_no_row_has_is_no_id():
    assert may_be_ids([7, 10**18 - 1, "pinterest"])
    assert not may_be_ids([7, 10**18])
