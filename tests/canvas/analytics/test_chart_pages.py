"""The chart of a step: its ranges, its table, and what is downloaded of it."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from canvas import journeys
from tests.canvas.analytics.asking import browser, page
from tests.canvas.analytics.sending import settle
from tests.canvas.conftest import NOON, people

pytestmark = pytest.mark.django_db
RANGE = {"from": "2026-11-23T11:30", "to": "2026-11-23T13:00"}


@pytest.fixture
def address(step):
    return f"steps/{step.pk}/analytics/"


def rows(html) -> list[list[str]]:
    """Return the cells of the table over time."""
    table = html.split('class="table-wrap history-table"')[1].split("</table>")[0]
    return [re.findall(r">([\d,]+)(?:</a>)?</td>", row) for row in table.split("<tr")[2:]]


def test_the_chart_has_a_table_with_the_same_figures(launched, step, bob, address):
    html = page(browser(bob), launched, address, **RANGE)
    assert html.count("<polyline") == 4
    data = json.loads(re.search(r'data-chart="([^"]+)"', html)[1].replace("&quot;", '"'))
    as_table = page(browser(bob), launched, address, view="table", **RANGE)
    assert "<polyline" not in as_table
    found = rows(as_table)
    assert [int(row[0]) for row in reversed(found)] == data["series"]["entered"]
    assert [int(row[3]) for row in reversed(found)] == data["series"]["pending"]
    assert sum(data["series"]["entered"]) == 7


def test_a_row_of_the_table_leads_to_its_users(launched, workspace, step, bob, address):
    journeys.enter(launched, people(workspace, 3, start=60), source="api", now=NOON + timedelta(minutes=30))
    html = page(browser(bob), launched, address, view="table", **RANGE)
    links = re.findall(r'href="[^"]+/users/\?from=([^&]+)&amp;to=([^"]+)">(\d+)</a>', html)
    assert [number for _since, _until, number in links] == ["3", "7"]
    users = page(browser(bob), launched, f"steps/{step.pk}/users/", **{"from": links[0][0], "to": links[0][1]})
    assert [name for name in ("u60", "u61", "u62", "u0") if f">{name}</a>" in users] == ["u60", "u61", "u62"]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_shown_can_be_downloaded(launched, step, bob, address, form):
    shown = rows(page(browser(bob), launched, address, view="table", **RANGE))
    answer = browser(bob).get(f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/analytics/history.{form}", RANGE)
    assert f'step-{step.pk}-20261123T1130-20261123T1300.{form}"' in answer["Content-Disposition"]
    text = answer.getvalue().decode()
    names = ("entered", "synced", "not_synced", "pending", "errored")
    if form == "json":
        loaded = json.loads(text)
        assert (loaded["from"], loaded["to"]) == ("2026-11-23T11:30:00+00:00", "2026-11-23T13:00:00+00:00")
        found = [[row[name] for name in names] for row in loaded["rows"]]
    else:
        found = [[int(cell) for cell in line[1:]] for line in list(csv.reader(io.StringIO(text)))[1:]]
    assert found == [[int(cell.replace(",", "")) for cell in row] for row in reversed(shown)]
    assert sum(row[0] for row in found) == 7


def test_a_day_is_the_default_and_each_period_is_a_link(launched, step, bob, address):
    html = page(browser(bob), launched, address)
    assert re.search(r'id="period-day" [^>]+ aria-current="true"', html)
    for period in ("hour", "day", "week", "month", "all"):
        shown = page(browser(bob), launched, address, period=period)
        assert re.findall(r'id="period-(\w+)" [^>]+ aria-current="true"', shown) == [period]
        assert f"history.csv?period={period}" in shown


def test_a_range_that_is_none_is_said_and_a_day_shown(launched, step, bob, address):
    html = page(browser(bob), launched, address, **{"from": "2026-11-24T00:00", "to": "2026-11-23T00:00"})
    assert "That is no range of time" in html
    assert "history.csv?period=day" in html


def test_the_live_fragment_shows_the_range_that_was_chosen(launched, step, bob, address):
    settle(step.sync, 1, now=timezone.now())
    html = page(browser(bob), launched, f"{address}live/", **RANGE)
    assert 'value="2026-11-23T11:30"' in html
    assert "history.json?from=2026-11-23T11%3A30Z" in html


def test_a_range_without_anything_says_so(launched, step, bob, address):
    html = page(browser(bob), launched, address, **{"from": "2026-01-01T00:00", "to": "2026-01-02T00:00"})
    assert "Nothing happened in this period." in html
    assert "<polyline" not in html


def test_only_known_forms_are_handed_out_and_only_to_members(launched, step, bob, charlie):
    address = f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/analytics/history."
    assert browser(bob).get(f"{address}xml").status_code == 404
    assert browser(charlie).get(f"{address}csv").status_code == 404
