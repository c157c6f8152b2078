"""Building a journey by its page: steps in reading order, moved by buttons, deleted and put back; a Canvas copied."""

import re

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from canvas import editing, journeys
from canvas.models import Canvas, Entry, Step
from integrations.models import Audience, AudienceSync
from pinsync.profiles.models import Segment
from pinsync.workspaces.models import AuditEvent
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, erin):
    client.force_login(erin)
    return client


@pytest.fixture
def row(canvas, audience):
    """A draft of three steps."""
    return [add(canvas, "audience_sync", audience=audience), add(canvas, "delay", amount=3, unit="days"), _last(canvas)]


def _last(canvas):
    return add(canvas, "delay", amount=1, unit="weeks")


def order(canvas):
    return list(canvas.steps.values_list("pk", "position"))


def token(page):
    found = re.search(r'name="token" value="([^"]+)"', page)
    return found[1] if found else None


def test_steps_are_links_in_reading_order_and_can_be_moved_by_buttons(editor, canvas, row):
    base = f"/w/shop/canvas/{canvas.pk}/"
    page = editor.get(base).content.decode()
    places = [page.index(f'id="step-name-{step.pk}"><a href="{base}steps/{step.pk}/') for step in row]
    assert places == sorted(places)
    answer = editor.post(f"{base}steps/{row[2].pk}/move/", {"to": "up"})
    assert answer.url == f"{base}#step-{row[2].pk}"  # the keyboard goes on at the step that was moved
    assert [pk for pk, _position in order(canvas)] == [row[0].pk, row[2].pk, row[1].pk]
    editor.post(f"{base}steps/{row[0].pk}/move/", {"to": "up"})  # it is the first
    assert [pk for pk, _position in order(canvas)] == [row[0].pk, row[2].pk, row[1].pk]
    assert page.count(" disabled aria-label") == 2


def test_more_steps_take_no_more_queries(editor, canvas, audience):
    def queries():
        with CaptureQueriesContext(database) as found:
            editor.get(f"/w/shop/canvas/{canvas.pk}/")
        return len(found)

    add(canvas, "audience_sync", audience=audience)
    add(canvas, "delay")
    queries()  # the session learns which workspace was used last
    few = queries()
    for _step in range(8):
        add(canvas, "audience_sync", audience=audience)
        add(canvas, "delay")
    assert queries() == few <= 15


def test_a_step_is_added_between_any_two(editor, canvas, row):
    for position in (2, 1, 99):
        answer = editor.post(f"/w/shop/canvas/{canvas.pk}/steps/add/", {"kind": "delay", "position": position})
        new = Step.objects.latest("pk")
        assert answer.url.endswith(f"#step-{new.pk}")
        assert new.position == min(position, canvas.steps.count())
    assert [position for _pk, position in order(canvas)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_deleted_step_is_put_back_at_its_place_with_its_settings(editor, canvas, row, place, audience):
    base = f"/w/shop/canvas/{canvas.pk}/"
    before, cards = order(canvas), [editing.kind_of(step).keep(step) for step in row]
    page = editor.post(f"{base}steps/{row[place].pk}/delete/", follow=True).content.decode()
    assert "was deleted." in page
    assert len(order(canvas)) == 2
    assert token(editor.get(base).content.decode()) is None  # said once
    for _press in range(2):  # pressing twice puts one back
        answer = editor.post(f"{base}steps/restore/", {"token": token(page)})
        assert answer.url == f"{base}#step-{row[place].pk}"
    assert order(canvas) == before
    again = list(canvas.steps.select_related("sync", "canvas"))
    assert [editing.kind_of(step).keep(step) for step in again] == cards
    assert AudienceSync.objects.count() == 1


def test_what_cannot_be_undone_says_so(editor, canvas, row, workspace, audience):
    base = f"/w/shop/canvas/{canvas.pk}/"
    page = editor.post(f"{base}steps/{row[1].pk}/delete/", follow=True).content.decode()
    sorry = "This cannot be undone any more."
    other = Canvas.objects.create(workspace=workspace, name="Other")
    assert (
        sorry
        in editor.post(
            f"/w/shop/canvas/{other.pk}/steps/restore/", {"token": token(page)}, follow=True
        ).content.decode()
    )
    for wrong in ("", "x", token(page)[:-1] + "_"):
        assert sorry in editor.post(f"{base}steps/restore/", {"token": wrong}, follow=True).content.decode()
    assert (canvas.steps.count(), other.steps.count()) == (2, 0)
    Canvas.objects.filter(pk=canvas.pk).update(state="active", launched_at=NOON)
    launched = editor.post(f"{base}steps/restore/", {"token": token(page)}, follow=True).content.decode()
    assert "its journey stays as it is" in launched
    assert canvas.steps.count() == 2


def test_a_step_comes_back_without_an_audience_that_is_not_there_any_more(editor, canvas, row, audience):
    base = f"/w/shop/canvas/{canvas.pk}/"
    page = editor.post(f"{base}steps/{row[0].pk}/delete/", follow=True).content.decode()
    audience.delete()
    editor.post(f"{base}steps/restore/", {"token": token(page)})
    sync = Step.objects.get(pk=row[0].pk).sync
    assert (sync.audience, sync.ad_account_id, sync.match_fields) == (None, row[0].sync.ad_account_id, 7)


def test_a_viewer_moves_deletes_restores_and_copies_nothing(client, bob, canvas, row):
    client.force_login(bob)
    base = f"/w/shop/canvas/{canvas.pk}/"
    page = client.get(base).content.decode()
    for path in ("steps/restore/", f"steps/{row[0].pk}/move/", f"steps/{row[0].pk}/delete/", "duplicate/"):
        assert client.post(base + path).status_code == 403
        assert path not in page
    assert Canvas.objects.count() == 1


def test_a_copy_is_a_draft_with_the_same_settings_and_steps(editor, running, audience, workspace, erin):
    segment = Segment.objects.create(workspace=workspace, name="Loyal")
    Canvas.objects.update(segment=segment, reentry=True, tags=["a"], description="d", entry_kind="api")
    add(running, "delay", amount=3, unit="weeks")
    running.refresh_from_db()
    journeys.enter(running, people(workspace, 3), source="api", now=NOON)
    answer = editor.post(f"/w/shop/canvas/{running.pk}/duplicate/")
    copy = Canvas.objects.latest("pk")
    assert answer.url == f"/w/shop/canvas/{copy.pk}/"
    assert (copy.name, copy.state, copy.launched_at, copy.enter_at) == ("Winter (copy)", "draft", None, None)
    assert (copy.segment, copy.reentry, copy.tags, copy.description, copy.entry_kind) == (
        segment,
        True,
        ["a"],
        "d",
        "api",
    )
    assert (copy.created_by, Entry.objects.filter(canvas=copy).count()) == (erin, 0)
    sync, delay = copy.steps.select_related("sync", "totals")
    assert (delay.settings, delay.totals.entered) == ({"amount": 3, "unit": "weeks"}, 0)
    assert (sync.sync.audience, sync.sync.match_fields) == (audience, 7)
    assert sync.sync_id != running.steps.first().sync_id
    assert AuditEvent.objects.filter(action="canvas.duplicated", target="Winter (copy)").count() == 1


def test_copies_have_names_of_their_own_that_are_not_too_long(canvas, erin):
    Canvas.objects.update(name="x" * 120)
    canvas.refresh_from_db()
    names = [editing.duplicate(canvas, erin, NOON).name for _copy in range(3)]
    assert [name[-8:] for name in names] == ["x (copy)", "(copy 2)", "(copy 3)"]
    assert {len(name) for name in names} == {120}


@pytest.mark.parametrize("state", ["creating", "failed", "gone"])
def test_an_audience_that_is_not_there_stays_with_its_own_step(canvas, audience, erin, state):
    add(canvas, "audience_sync", audience=audience)
    Audience.objects.update(state=state)
    copy = editing.duplicate(canvas, erin, NOON)
    sync = copy.steps.get().sync
    assert (sync.audience, sync.ad_account_id) == (None, audience.ad_account_id)
    assert canvas.steps.get().sync.audience == audience
