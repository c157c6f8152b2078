"""The home page: what runs, what needs attention and the button that mends it, and what it costs."""

import re
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from canvas.analytics.sparklines import sparklines
from canvas.models import Canvas, Step
from integrations.models import AdAccount, Audience, AudienceSync, Connection, SyncMinute, SyncTotals
from pinsync.workspaces import home
from tests.pinsync.workspaces.conftest import NOON, browser_of
from tests.pinsync.workspaces.world import things_of

MOST_QUERIES = 15
PARTNER_PAGE = "/w/acme/partners/pinterest/"


@pytest.fixture
def things(acme, alice):
    """One of everything; its one user errored long ago, and the Canvas lets users in."""
    found = things_of(acme, alice)
    Canvas.objects.update(state="active", launched_at=NOON)
    return found


def attention(user):
    """Return (text, address, button) of what the page says needs attention."""
    page = browser_of(user).get("/w/acme/").content.decode()
    found = re.findall(
        r'<strong>([^<]+)</strong>(?:(?!</li>).)*?<a id="attention-\d+" class="[^"]+" href="([^"]+)">([^<]+)<',
        page,
        re.S,
    )
    return [(text, url.replace("&amp;", "&"), button) for text, url, button in found]


def test_errored_users_lead_to_their_page(things, alice):
    here = f"/w/acme/canvas/{things['canvas']}/steps/{things['step']}/users/?state=errored"
    assert attention(alice) == [("1 user errored in “Sync” of “Winter”", here, "Show them")]
    assert browser_of(alice).get(here).status_code == 200
    Canvas.objects.update(state="archived")
    assert attention(alice) == []


def test_a_dead_token_comes_first_and_names_what_it_holds_up(things, alice, bob):
    Connection.objects.update(state="broken", broken_code="invalid_token", broken_at=NOON)
    texts = [text for text, _url, _button in attention(alice)]
    assert texts == ["Pinterest: Invalid Token", "1 user errored in “Sync” of “Winter”"]
    assert attention(alice)[0][1:] == (PARTNER_PAGE, "Reconnect")
    assert attention(bob)[0][1:] == (PARTNER_PAGE, "Show")
    page = browser_of(alice).get("/w/acme/").content.decode()
    here = f"/w/acme/canvas/{things['canvas']}/"
    assert f'It holds up: <a id="stopped-1-1" href="{here}">Winter</a></p>' in page
    assert "First steps" not in page  # it was connected; that is another sentence
    Canvas.objects.update(state="stopped")
    assert "It holds up" not in browser_of(alice).get("/w/acme/").content.decode()


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        ({"access_expires_at": timedelta(days=6)}, False),
        ({"access_expires_at": timedelta(days=4)}, True),
        ({"access_expires_at": timedelta(days=40), "refresh_expires_at": timedelta(days=4)}, True),
        ({"access_expires_at": -timedelta(days=1)}, True),
        ({"access_expires_at": None, "refresh_expires_at": None}, False),
    ],
)
def test_a_token_that_was_not_renewed_in_time(things, alice, expires, said):
    now = timezone.now()
    Connection.objects.update(**{name: now + left if left else None for name, left in expires.items()})
    wanted = ("The token of Pinterest could not be renewed", PARTNER_PAGE, "Change Account")
    assert (wanted in attention(alice)) is said


def test_what_is_lost_or_paused_or_gone_is_named(things, alice):
    AdAccount.objects.update(state="lost")
    Audience.objects.update(state="gone", failure="audience_gone")
    Connection.objects.update(paused_at=NOON)
    assert [each for each in attention(alice) if "errored" not in each[0]] == [
        ("The connection to Pinterest is paused by staff.", PARTNER_PAGE, "Show"),
        ("Pinterest: no access to the ad account “Shop”", f"{PARTNER_PAGE}#ad-accounts", "Check access"),
        (
            "The audience “Winter buyers” does not exist any more",
            f"{PARTNER_PAGE}audiences/{things['audience']}/recreation/",
            "Recreate audience",
        ),
    ]
    for _text, url, _button in attention(alice):
        assert browser_of(alice).get(url).status_code == 200


def test_nothing_of_another_workspace_shows(things, charlie):
    Connection.objects.update(state="broken", broken_code="invalid_token")
    page = browser_of(charlie).get("/w/other/").content.decode()
    assert "Needs attention" not in page
    assert "Winter" not in page


def test_the_urgent_comes_first_else_the_order_of_the_panels(acme, monkeypatch):
    monkeypatch.setattr(home, "_panels", {})
    said = [
        home.Attention(text, "/", "Go", is_urgent=urgent) for text, urgent in (("a", False), ("b", True), ("c", True))
    ]
    home.register("one", lambda workspace, now: home.Panel(attention=(said[0], said[1])))
    home.register("two", lambda workspace, now: home.Panel(attention=(said[2],)))
    assert [each.text for each in home.attention(home.panels(acme, NOON))] == ["b", "c", "a"]


def test_canvases_that_run_come_first_with_the_sums_of_their_steps(things, acme, alice):
    draft = Canvas.objects.create(workspace=acme, name="Draft")
    Canvas.objects.create(workspace=acme, name="Old", state="stopped", launched_at=NOON - timedelta(days=3))
    Canvas.objects.create(workspace=acme, name="Away", state="archived", launched_at=NOON)
    second = AudienceSync.objects.create(workspace=acme)
    Step.objects.create(canvas_id=things["canvas"], kind="audience_sync", name="Again", position=2, sync=second)
    SyncTotals.objects.create(sync=second, entered=12_000, synced=11_990, pending=10)
    page = browser_of(alice).get("/w/acme/")
    rows = next(panel for panel in page.context["panels"] if panel.template == "canvas/_home.html").context["rows"]
    figures = [(row.canvas.name, row.canvas.synced, row.canvas.pending, row.canvas.errored) for row in rows]
    assert figures == [("Winter", 11_990, 10, 1), ("Old", None, None, None), ("Draft", None, None, None)]
    assert "11,990" in page.content.decode()
    assert draft.get_absolute_url() in page.content.decode()


@pytest.mark.parametrize(
    ("launched", "minutes", "users", "points"),
    [
        (timedelta(minutes=20), {1: 5, 19: 7, 70: 100}, 12, 22),
        (timedelta(days=3), {1: 5, 70: 100, 23 * 60: 3, 25 * 60: 9}, 108, 24),
        (timedelta(days=3), {1: 5, 70: 100, 24 * 60 - 5: 3, 24 * 60 + 5: 9}, 108, 24),
    ],
)
def test_a_young_journey_is_drawn_by_the_minute_and_an_old_one_by_the_hour(things, launched, minutes, users, points):
    now = timezone.now().replace(minute=30, second=20, microsecond=0)
    Canvas.objects.update(launched_at=now - launched)
    SyncMinute.objects.bulk_create(
        SyncMinute(
            sync_id=things["sync"],
            minute=(now - timedelta(minutes=minute)).replace(second=0),
            synced=number,
            pending=-number,
        )
        for minute, number in minutes.items()
    )
    line = sparklines(Canvas.objects.all(), now)[things["canvas"]]
    assert (line.users, line.since_launch) == (users, launched < timedelta(hours=1))
    heights = [float(point.split(",")[1]) for point in line.points.split()]
    assert len(heights) == points
    assert min(heights) == 2.0  # the highest touches the top
    assert sum(height < 26 for height in heights) == (2 if line.since_launch else 3)


@pytest.mark.parametrize("seconds", [0, 1, 29, 59])
def test_the_first_minute_of_a_journey_is_part_of_its_line(things, seconds):
    now = timezone.now().replace(second=seconds, microsecond=0)
    for launched in (now - timedelta(minutes=13, seconds=30), now - timedelta(seconds=3)):
        Canvas.objects.update(launched_at=launched)
        SyncMinute.objects.all().delete()
        SyncMinute.objects.create(sync_id=things["sync"], minute=launched.replace(second=0), synced=550)
        assert sparklines(Canvas.objects.all(), now)[things["canvas"]].users == 550


def test_who_synced_nobody_lately_has_no_line(things):
    assert sparklines(Canvas.objects.all(), NOON + timedelta(days=9)) == {}


def test_the_page_costs_few_queries_however_much_there_is(things, acme, alice):
    Connection.objects.update(state="broken", broken_code="invalid_token")
    Audience.objects.update(state="gone", failure="audience_gone")
    for number in range(20):
        canvas = Canvas.objects.create(workspace=acme, name=f"C{number}", state="active", launched_at=timezone.now())
        sync = AudienceSync.objects.create(workspace=acme, partner="pinterest", audience_id=things["audience"])
        Step.objects.create(canvas=canvas, kind="audience_sync", name="S", position=1, sync=sync)
        SyncTotals.objects.create(sync=sync, entered=2, synced=1, errored=1)
        SyncMinute.objects.create(sync=sync, minute=timezone.now(), synced=1, errored=1, entered=2)
    browser = browser_of(alice)
    browser.get("/w/acme/")  # writes down which workspace was used last
    with CaptureQueriesContext(database) as queries:
        page = browser.get("/w/acme/")
    assert len(queries) <= MOST_QUERIES, "\n".join(query["sql"][:150] for query in queries)
    assert page.content.decode().count('class="sparkline"') == 6
    assert len(page.context["attention"]) == 7
