"""When users of a scheduled Canvas enter, on every kind of clock."""

from datetime import UTC, datetime, timedelta

import pytest

from canvas import recurring
from canvas.models import Canvas

HOUR = timedelta(hours=1)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def canvas(**fields):
    return Canvas(entry_kind="scheduled", **{"starts_at": at("2026-11-23T09:00"), **fields})


def moments(one, after, number=3):
    found = []
    for _round in range(number):
        after = recurring.next_entry(one, after)
        found.append(after and after.astimezone(UTC).strftime("%m-%d %H:%M"))
        if after is None:
            break
    return found


@pytest.mark.parametrize(
    ("fields", "after", "expected"),
    [
        ({}, "2026-11-23T08:59", ["11-23 09:00", None]),
        ({}, "2026-11-23T09:00", [None]),
        ({"repeat": "daily"}, "2026-11-01T00:00", ["11-23 09:00", "11-24 09:00", "11-25 09:00"]),
        ({"repeat": "daily"}, "2026-12-24T09:00", ["12-25 09:00", "12-26 09:00", "12-27 09:00"]),
        ({"repeat": "weekly"}, "2026-11-23T09:00", ["11-30 09:00", "12-07 09:00", "12-14 09:00"]),
        ({"repeat": "weekly"}, "2026-12-29T23:00", ["01-04 09:00", "01-11 09:00", "01-18 09:00"]),
        ({"repeat": "cron", "cron": "30 8 * * 1-5"}, "2026-11-20T00:00", ["11-24 08:30", "11-25 08:30", "11-26 08:30"]),
        ({"repeat": "daily", "ends_at": at("2026-11-24T09:00")}, "2026-11-23T09:00", ["11-24 09:00", None]),
        ({"starts_at": None}, "2026-11-23T09:00", [None]),
    ],
)
def test_the_next_round(fields, after, expected):
    assert moments(canvas(**fields), at(after)) == expected


@pytest.mark.parametrize("repeat", ["daily", "cron"])
def test_nine_o_clock_stays_nine_o_clock_when_the_clocks_change(repeat):
    one = canvas(repeat=repeat, cron="0 9 * * *", time_zone="America/New_York", starts_at=at("2026-10-31T13:00"))
    assert moments(one, at("2026-10-30T00:00")) == ["10-31 13:00", "11-01 14:00", "11-02 14:00"]
    assert moments(one, at("2027-03-13T14:00"), 2) == ["03-14 13:00", "03-15 13:00"]


def test_an_hour_that_a_day_does_not_have_is_met_once_a_day():
    one = canvas(repeat="daily", time_zone="Europe/Berlin", starts_at=at("2027-03-27T01:30"))
    found = moments(one, at("2027-03-27T00:00"), 4)
    assert [each[:5] for each in found] == ["03-27", "03-28", "03-29", "03-30"]


@pytest.mark.parametrize("repeat", ["daily", "cron"])
def test_an_hour_that_a_day_has_twice_is_met_once(repeat):
    # 2:30 in Berlin; on 25 October the clocks go back from 3:00 to 2:00.
    one = canvas(repeat=repeat, cron="30 2 * * *", time_zone="Europe/Berlin", starts_at=at("2026-10-24T00:30"))
    assert moments(one, at("2026-10-23T00:00")) == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
    assert moments(one, at("2026-10-25T00:45"), 1) == ["10-26 01:30"]


def test_rounds_by_the_quarter_pause_while_the_clock_repeats_itself():
    one = canvas(repeat="cron", cron="*/15 * * * *", time_zone="Europe/Berlin", starts_at=at("2026-10-24T00:00"))
    assert moments(one, at("2026-10-25T00:30"), 3) == ["10-25 00:45", "10-25 02:00", "10-25 02:15"]


def test_a_cron_round_in_an_hour_that_a_day_does_not_have_comes_when_the_clocks_have_changed():
    one = canvas(repeat="cron", cron="30 2 * * *", time_zone="Europe/Berlin", starts_at=at("2027-03-27T00:00"))
    assert moments(one, at("2027-03-27T00:00")) == ["03-27 01:30", "03-28 01:00", "03-29 00:30"]


@pytest.mark.parametrize(
    "expression",
    [
        *("", "x", "0 9 * *", "* * * * *", "*/14 * * * *", "0 0 30 2 *", "0 9 * * * *", "61 * * * *"),
        *("R 9 * * *", "0 r(8-10) * * *", "H 9 * * *", "0,R 9 * * *"),
    ],
)
def test_a_cron_expression_that_cannot_be_used(expression):
    assert recurring.cron_problem(expression) is True


@pytest.mark.parametrize(
    "expression", ["0 9 * * *", "*/15 * * * *", "0 0 1 1 *", "0 0 29 2 *", "30 8 * * 1-5", "0 9 * MAR FRI"]
)
def test_a_cron_expression_that_can(expression):
    assert recurring.cron_problem(expression) is False
