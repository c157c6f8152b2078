"""What happened to one person, on their page and page by page."""

import re
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from canvas import events, journeys, reading
from canvas.analytics import person
from canvas.models import Canvas, Move
from integrations.models import Attempt
from pinsync.profiles.models import Profile
from tests.canvas.analytics.asking import browser
from tests.canvas.analytics.sending import errored, settle, waiting
from tests.canvas.conftest import HOUR, NOON, add, make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(running, workspace, step):
    """Somebody who entered seven times: refused once, twice tried, sent four times, and one time not sent yet."""
    Canvas.objects.filter(pk=running.pk).update(reentry=True)
    running.refresh_from_db()
    make_profile(workspace, "ann", "ann@example.com").save()
    for number in range(7):
        at = NOON + number * HOUR
        journeys.enter(running, workspace.profiles.filter(external_id="ann"), source="api", now=at)
        if number == 2:
            errored(step.sync, 1, now=at, reason="record_refused")
        elif number == 5:
            waiting(step.sync, 1, now=at, reason="partner_unavailable")
            settle(step.sync, 1, now=at + timedelta(minutes=20))
        elif number < 6:
            settle(step.sync, 1, now=at)
    return workspace.profiles.get(external_id="ann")


def test_every_intent_is_told_newest_first_with_its_requests(ann, step):
    found = person.happenings(ann)
    assert [each.line.entered_at for each in found.happenings] == [NOON + n * HOUR for n in (6, 5, 4, 3, 2, 1, 0)]
    assert [each.line.state for each in found.happenings] == [
        "pending",
        *["synced"] * 3,
        "errored",
        *["synced"] * 2,
    ]
    assert [len(each.attempts) for each in found.happenings] == [0, 2, 1, 1, 1, 1, 1]
    assert [line.outcome and line.outcome.code for line in found.happenings[1].attempts] == [
        None,
        "partner_unavailable",
    ]
    assert sum(len(each.attempts) for each in found.happenings) == Attempt.objects.count()
    assert {each.step for each in found.happenings} == {step}
    assert {each.fields for each in found.happenings} == {"Email, Apple IDFA, Google Advertising ID"}
    assert found.older == ""


def test_pages_join_without_a_gap_or_a_repetition(ann, monkeypatch):
    whole = person.happenings(ann).happenings
    for size in (1, 2, 3, 6, 7):
        found, after = [], ""
        for _page in range(20):
            page = person.happenings(ann, after, size)
            found += page.happenings
            after = page.older
            if not after:
                break
        assert [each.line.entered_at for each in found] == [each.line.entered_at for each in whole]
    entries = [entry.pk for entry in person.journeys(ann).entries]
    assert len(entries) == 7
    monkeypatch.setattr(person, "PAGE", 3)
    first = person.journeys(ann)
    second = person.journeys(ann, first.older)
    third = person.journeys(ann, second.older)
    assert [entry.pk for page in (first, second, third) for entry in page.entries] == entries
    assert third.older == ""


def test_the_page_of_a_user_shows_the_latest_and_leads_to_everything(ann, bob, monkeypatch):
    monkeypatch.setattr(person, "SHOWN", 2)
    client = browser(bob)
    html = client.get(f"/w/shop/profiles/{ann.pk}/").content.decode()
    assert len(re.findall(r">#\d+</a>", html)) == 1  # of the two latest, one is in no batch yet
    assert "2 attempts" in html
    assert f"/w/shop/canvas/users/{ann.pk}/" in html
    everything = client.get(f"/w/shop/canvas/users/{ann.pk}/").content.decode()
    assert len(set(re.findall(r">#(\d+)</a>", everything))) == 6
    for text in ("Winter buyers", "Record Refused", "Email, Apple IDFA", "Winter: Audience Sync", "12:00:00", "503"):
        assert text in everything
    assert "ann@example.com" not in everything


def test_both_lists_are_paged_each_by_itself(ann, bob, monkeypatch):
    monkeypatch.setattr(person, "PAGE", 3)
    monkeypatch.setattr(person.happenings, "__defaults__", ("", 3))
    client = browser(bob)
    address = f"/w/shop/canvas/users/{ann.pk}/"
    html = client.get(address).content.decode()
    after, entries = re.search(r"\?after=([\w-]+)#", html)[1], re.search(r"\?entries=([\w-]+)#", html)[1]
    both = client.get(address, {"after": after, "entries": entries}).content.decode()
    assert f"?after={after}#journeys" in both  # the journeys from the beginning, the audiences where they are
    assert f"?entries={entries}#audiences" in both
    assert "Nothing before that." in client.get(address, {"after": "d0-1", "entries": "e0-1"}).content.decode()
    assert client.get(address, {"after": "x", "entries": "x"}).status_code == 200


def test_a_user_to_whom_nothing_happened_has_an_empty_page(workspace, bob, charlie):
    profile = make_profile(workspace, "new")
    profile.save()
    html = browser(bob).get(f"/w/shop/canvas/users/{profile.pk}/").content.decode()
    assert "No step has sent this user to an audience yet." in html
    assert "This user has not entered a Canvas yet." in html
    assert browser(charlie).get(f"/w/shop/canvas/users/{profile.pk}/").status_code == 404
    assert browser(charlie).get(f"/w/other/canvas/users/{profile.pk}/").status_code == 404


@pytest.mark.skipif(database.vendor != "postgresql", reason="SQLite goes by the person, whatever it has learned")
def test_a_persons_journeys_are_found_by_the_person_though_statistics_are_old(running, workspace):
    """When few people made many entries each, PostgreSQL would go down all entries to find some of one person's."""
    move = Move.objects.create(canvas=running, kind="enter", at=NOON)
    entries = (
        "INSERT INTO canvas_entry (canvas_id, profile_id, turn, move_id, state, entered_at, exited_at)"
        f" SELECT {running.pk}, %s, %s, {move.pk}, 'exited', now(), now() FROM generate_series(1, %s) n"
    )
    with database.cursor() as cursor:
        cursor.execute(entries % ("n % 200", "n", 5_000))
        cursor.execute("ANALYZE canvas_entry")
        cursor.execute(entries % ("1000 + n", "0", 300_000))
    somebody = Profile(pk=1_500, workspace=workspace)
    with CaptureQueriesContext(database) as captured:
        assert len(person.journeys(somebody).entries) == 1
        assert len(reading.profile_panel(somebody).context["entries"]) == 1
    for query in captured:
        with database.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql'].replace('%', '%%')}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "entry_once_per_turn" in plan, plan


def test_how_somebody_came_and_why_they_left_is_told(workspace, bob):
    profile = make_profile(workspace, "eve", "eve@example.com")
    profile.save()
    canvas = Canvas.objects.create(
        workspace=workspace, name="After a visit", entry_kind="event", event_name="visit", exit_event="purchase"
    )
    add(canvas, "delay", amount=2, unit="days")
    Canvas.objects.filter(pk=canvas.pk).update(state=Canvas.State.ACTIVE, launched_at=NOON)
    pages = (f"/w/shop/profiles/{profile.pk}/", f"/w/shop/canvas/users/{profile.pk}/")
    assert events.happened(workspace, {"visit": ["eve"]}, now=NOON).entered == 1
    for page in pages:
        assert "· event “visit”" in browser(bob).get(page).content.decode()
    assert events.happened(workspace, {"purchase": ["eve"]}, now=NOON).exited == 1
    for page in pages:
        html = browser(bob).get(page).content.decode()
        assert "left by exit criteria" in html
        assert "· event" not in html  # how they left is the latest that is known
