"""A launch under way: how many of about how many have entered, how long the rest takes, and how it is stopped."""

import pytest

from canvas import launching, schedules
from canvas.models import Canvas, Entry
from pinsync.progress import Progress
from tests.canvas.conftest import HOUR, NOON, add, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, erin):
    client.force_login(erin)
    return client


@pytest.fixture
def on_its_way(canvas, audience, alice, workspace, monkeypatch):
    """A launch of five users, two of whom have entered."""
    add(canvas, "audience_sync", audience=audience)
    people(workspace, 5)
    monkeypatch.setattr(schedules, "USERS_AT_A_TIME", 2)
    launching.launch(canvas, alice, NOON)
    schedules._enter_some(canvas.pk, NOON)
    canvas.refresh_from_db()
    return canvas


def test_it_says_how_far_it_is_and_how_long_the_rest_takes(on_its_way):
    assert (on_its_way.enter_total, on_its_way.enter_done, on_its_way.enter_began_at) == (5, 2, NOON)
    assert launching.progress(on_its_way, NOON + HOUR) == Progress(2, 5, 5400)


def test_before_the_first_have_entered_nobody_knows(canvas, audience, alice, workspace):
    add(canvas, "audience_sync", audience=audience)
    people(workspace, 5)
    assert launching.progress(canvas, NOON) is None  # a draft
    launching.launch(canvas, alice, NOON)
    assert launching.progress(canvas, NOON) == Progress(0, None, None)
    Canvas.objects.update(enter_began_at=NOON, enter_total=5)
    canvas.refresh_from_db()
    assert launching.progress(canvas, NOON + HOUR) == Progress(0, 5, None)


def test_afterwards_it_is_over_and_the_figures_stay(on_its_way):
    assert schedules.enter_due(NOON) == 3
    on_its_way.refresh_from_db()
    assert launching.progress(on_its_way, NOON) is None
    assert (on_its_way.enter_at, on_its_way.enter_total, on_its_way.enter_done) == (None, 5, 5)


def test_more_than_were_counted_are_no_more_than_all(on_its_way, workspace):
    people(workspace, 4, start=5)
    schedules._enter_some(on_its_way.pk, NOON)
    schedules._enter_some(on_its_way.pk, NOON)
    on_its_way.refresh_from_db()
    assert launching.progress(on_its_way, NOON + HOUR) == Progress(6, 6, 0)


@pytest.mark.parametrize("page", ["", "summary/"])
def test_the_page_shows_it_asks_again_and_survives_a_reload(editor, on_its_way, page):
    url = f"/w/shop/canvas/{on_its_way.pk}/{page}"
    for _reload in range(2):
        shown = editor.get(url).content.decode()
        assert "<strong>2</strong> of about 5 users entered." in shown
        assert f'hx-get="{url}" hx-trigger="every 2s" hx-select="#beside"' in shown
        assert "Stop letting users in" in shown
    schedules.enter_due(NOON)
    shown = editor.get(url).content.decode()
    assert "Users have entered." in shown
    assert "every 2s" not in shown


def test_stopping_lets_nobody_else_in_and_resuming_goes_on(editor, on_its_way, alice):
    editor.post(f"/w/shop/canvas/{on_its_way.pk}/stop/")
    assert schedules.enter_due(NOON + HOUR) == 0
    assert Entry.objects.count() == 2
    on_its_way.refresh_from_db()
    assert launching.progress(on_its_way, NOON) is None
    editor.post(f"/w/shop/canvas/{on_its_way.pk}/resume/")
    on_its_way.refresh_from_db()
    assert launching.progress(on_its_way, on_its_way.enter_at).total == 5
    assert schedules.enter_due(on_its_way.enter_at) == 3
    assert Entry.objects.count() == 5
    on_its_way.refresh_from_db()
    assert on_its_way.enter_done == 5


def test_a_pause_does_not_count_as_work(on_its_way, alice):
    launching.stop(on_its_way, alice, NOON + HOUR)
    launching.resume(on_its_way, alice, NOON + 100 * HOUR)
    assert launching.progress(on_its_way, NOON + 101 * HOUR) == Progress(2, 5, 1.5 * 2 * 3600)


def test_a_viewer_watches_and_stops_nothing(client, bob, on_its_way):
    client.force_login(bob)
    shown = client.get(f"/w/shop/canvas/{on_its_way.pk}/").content.decode()
    assert "of about 5 users entered." in shown
    assert "Stop letting users in" not in shown
