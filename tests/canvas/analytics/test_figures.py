"""The seven metrics: counted once, true at every moment, named as people know them."""

import threading
from xml.etree import ElementTree

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from canvas import journeys
from canvas.analytics import METRICS, Metrics, figures_of, metrics
from canvas.models import Canvas, Entry
from pinsync.profiles.models import Profile
from tests.canvas.analytics.sending import errored, settle
from tests.canvas.conftest import HOUR, NOON, add, people

pytestmark = pytest.mark.django_db


def test_a_step_counts_who_entered_and_what_became_of_them(launched, step):
    assert metrics(step) == Metrics(entered=7, proceeded=7, synced=2, not_synced=1, pending=3, errored=1, exited=7)


def test_a_step_that_nobody_reached_counts_nothing(canvas, audience):
    step = add(canvas, "audience_sync", audience=audience)
    assert metrics(step) == Metrics()
    assert figures_of(canvas)[0].bar == []


def test_a_delay_counts_who_waits_and_forgets_who_left_after_a_stop(canvas, workspace, audience):
    delay = add(canvas, "delay", amount=1, unit="hours")
    add(canvas, "audience_sync", audience=audience)
    Canvas.objects.filter(pk=canvas.pk).update(state="active", launched_at=NOON)
    journeys.enter(canvas, people(workspace, 3), source="launch", now=NOON)
    assert metrics(delay) == Metrics(entered=3, waiting=3)
    journeys.advance_due(NOON + HOUR)
    assert metrics(delay) == Metrics(entered=3, proceeded=3)
    journeys.enter(canvas, people(workspace, 2, start=10), source="launch", now=NOON + HOUR)
    assert metrics(delay) == Metrics(entered=5, proceeded=3, waiting=2)
    Canvas.objects.filter(pk=canvas.pk).update(state="stopped")
    journeys.advance_due(NOON + 2 * HOUR)
    assert metrics(delay) == Metrics(entered=5, proceeded=3)
    assert Entry.objects.filter(state="waiting").count() == 0


def test_all_steps_are_read_in_one_query(launched, audience):
    for _ in range(4):
        add(launched, "audience_sync", audience=audience)
        add(launched, "delay", amount=1, unit="hours")
    with CaptureQueriesContext(database) as captured:
        found = [each.metrics for each in figures_of(launched)]
    assert (len(captured), len(found)) == (1, 9)


def test_the_bar_shows_all_of_entered_and_everybody_in_it(launched):
    (found,) = figures_of(launched)
    assert [(part.key, part.value) for part in found.bar] == [
        ("synced", 2),
        ("not_synced", 1),
        ("pending", 3),
        ("errored", 1),
    ]
    assert [part.x for part in found.bar] == [0, *(part.x + part.width for part in found.bar[:-1])]
    assert found.bar[-1].x + found.bar[-1].width == 1000


def test_the_metrics_have_their_names_in_both_languages():
    english = [
        "Entered",
        "Proceeded to Next Step",
        "Users Synced",
        "Users Not Synced",
        "Users Pending",
        "Users Errored",
        "Exited Canvas",
    ]
    korean = [
        "진입함",
        "다음 단계로 진행됨",
        "사용자가 동기화됨",
        "사용자가 동기화되지 않음",
        "사용자가 보류 중임",
        "사용자에서 오류 발생",
        "캔버스에서 나감",
    ]
    with translation.override("en"):
        assert [str(label) for label in METRICS.values()] == english
    with translation.override("ko"):
        assert [str(label) for label in METRICS.values()] == korean


@pytest.mark.django_db(transaction=True)
def test_the_figures_add_up_whenever_anybody_looks(running, workspace, step):
    """While users enter, are sent and give up, every look finds Entered = the sum of its parts."""
    people(workspace, 400)
    done = threading.Event()
    seen: list[Metrics] = []

    def look() -> None:
        try:
            while not done.is_set():
                seen.extend(found.metrics for found in figures_of(running))
        finally:
            database.close()

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for start in range(0, 400, 40):
        group = Profile.objects.filter(external_id__in=[f"u{n}" for n in range(start, start + 40)])
        journeys.enter(running, group, source="api", now=NOON)
        settle(step.sync, 20, now=NOON)
        errored(step.sync, 1, now=NOON, reason="record_refused")
    done.set()
    for reader in readers:
        reader.join()
    assert metrics(step) == Metrics(entered=400, proceeded=400, synced=200, pending=190, errored=10, exited=400)
    assert len(set(seen)) > 5
    for found in seen:
        assert found.entered == found.synced + found.not_synced + found.pending + found.errored
        assert found.entered == found.proceeded == found.exited


def test_the_drawing_is_well_formed(launched, step, bob, client):
    client.force_login(bob)
    html = client.get(f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/analytics/").content.decode()
    for start in html.split("<svg viewBox")[1:]:
        svg = "<svg viewBox" + start.split("</svg>")[0] + "</svg>"
        assert ElementTree.fromstring(svg).tag == "svg"  # noqa: S314  our own page
    assert 'style="' not in html
