"""The list of Canvases: figures, status, paging by key, and a number of queries that does not grow."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from canvas import journeys, listing
from canvas.models import Canvas
from integrations.models import SyncTotals
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client, bob):
    client.force_login(bob)
    return client


def names(page):
    return [row.canvas.name for row in page.rows]


def test_a_row_says_who_entered_waits_and_errored_in_all_steps_and_whose_it_is(viewer, running, audience, erin):
    Canvas.objects.filter(pk=running.pk).update(created_by=erin)
    add(running, "delay")
    add(running, "audience_sync", audience=audience, operation="remove")
    first, _delay, last = running.steps.all()
    journeys.enter(running, people(running.workspace, 5), source="api", now=NOON)
    SyncTotals.objects.filter(sync=first.sync).update(pending=3, errored=2)
    SyncTotals.objects.create(sync=last.sync, entered=7, pending=4, errored=3)
    (row,) = listing.page(running.workspace).rows
    assert row.figures == listing.Figures(entered=5, pending=7, errored=5)
    page = viewer.get("/w/shop/canvas/").content.decode()
    assert "erin@example.com" in page


def test_the_status_filters_and_archived_ones_are_apart(viewer, workspace):
    for state in ("draft", "active", "stopped", "archived"):
        Canvas.objects.create(workspace=workspace, name=state, state=state)
    assert names(listing.page(workspace)) == ["stopped", "active", "draft"]
    for state in Canvas.State.values:
        assert names(viewer.get(f"/w/shop/canvas/?show={state}").context["page"]) == [state]
    assert names(viewer.get("/w/shop/canvas/?show=nonsense").context["page"]) == []
    Canvas.objects.filter(state="stopped").delete()
    assert "No Canvas has this status" in viewer.get("/w/shop/canvas/?show=stopped").content.decode()


def test_tags_are_found_in_every_script(workspace):
    Canvas.objects.create(workspace=workspace, name="Winter", tags=["겨울 할인"])
    assert names(listing.page(workspace, text="겨울")) == ["Winter"]
    assert names(listing.page(workspace, text="여름")) == []
    assert names(listing.page(workspace, text="Win\0")) == []


def test_pages_follow_each_other_by_key(viewer, workspace):
    Canvas.objects.bulk_create(Canvas(workspace=workspace, name=f"C{n}") for n in range(listing.ROWS + 3))
    first = viewer.get("/w/shop/canvas/")
    assert len(first.context["page"].rows) == listing.ROWS
    Canvas.objects.create(workspace=workspace, name="New")  # what comes meanwhile moves nothing
    second = viewer.get(f"/w/shop/canvas/?before={first.context['page'].older}")
    assert names(second.context["page"]) == ["C2", "C1", "C0"]
    assert second.context["page"].older == ""
    assert "Newest" in second.content.decode()
    assert len(viewer.get("/w/shop/canvas/?before=x").context["page"].rows) == listing.ROWS


def test_more_canvases_take_no_more_queries(viewer, workspace):
    def queries():
        with CaptureQueriesContext(database) as found:
            viewer.get("/w/shop/canvas/")
        return len(found)

    for n in range(3):
        add(Canvas.objects.create(workspace=workspace, name=f"C{n}"), "delay")
    queries()  # the session learns which workspace was used last
    few = queries()
    for n in range(12):
        canvas = Canvas.objects.create(workspace=workspace, name=f"D{n}")
        add(canvas, "delay")
        add(canvas, "audience_sync")
    assert queries() == few <= 15
