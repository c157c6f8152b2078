"""The figures of one run of the simulator, in a Canvas that has others already."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from canvas import journeys, simulator, watching
from canvas.models import Canvas, SimulatorRun
from canvas.simulator import Order
from pinsync.profiles.models import Profile
from tests.canvas.analytics.sending import errored, settle
from tests.canvas.conftest import NOON, add, make_profile, people

pytestmark = pytest.mark.django_db
BURST = Order("segment", "burst")


def at(seconds):
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def sync(running):
    """A Canvas that lets everybody in again, with figures: of seven users two were synced, one errored, three wait."""
    Canvas.objects.filter(pk=running.pk).update(reentry=True)
    running.refresh_from_db()
    make_profile(running.workspace, "blank").save()
    people(running.workspace, 6)
    journeys.enter(running, running.workspace.profiles.all(), source="launch", now=at(-60))
    found = running.steps.select_related("sync__audience", "canvas__workspace").get().sync
    settle(found, 2, now=at(-50))
    errored(found, 1, now=at(-50), reason="record_refused")
    return found


def tiles(run, now) -> dict[str, int]:
    """Return the figures of a run; Entered is the sum of its four parts."""
    run = SimulatorRun.objects.select_related("canvas").get(pk=run.pk)
    scene = watching.scene_of(watching.watched_run(run), now)
    found = dict(scene.tiles)
    assert list(found) == ["entered", "proceeded", "synced", "not_synced", "pending", "errored", "exited"]
    assert found["entered"] == found["synced"] + found["not_synced"] + found["pending"] + found["errored"]
    assert min(found.values()) >= 0
    (picture,) = scene.pictures
    (step,) = picture.steps
    assert [step.metrics.pending, step.metrics.synced] == [found["pending"], found["synced"]]
    assert picture.exited == found["exited"]
    drawn = {line.key: line.value for line in watching.over_time(watching.watched_run(run), scene).lines}
    assert drawn == {key: found[key] for key in drawn}
    return found


def seven(*values) -> dict[str, int]:
    names = ("entered", "proceeded", "synced", "not_synced", "pending", "errored", "exited")
    return dict(zip(names, values, strict=True))


def test_a_run_shows_what_became_of_users_since_it_began(running, sync):
    """Three users were pending when it began: they count as entered in it, for their outcome falls into it."""
    run = simulator.start(running, BURST, user=None, now=NOON)
    assert tiles(run, at(1)) == seven(3, 0, 0, 0, 3, 0, 0)
    simulator.advance_due(at(2))
    assert tiles(run, at(3)) == seven(10, 7, 0, 1, 9, 0, 7)
    settle(sync, 3, now=at(4))
    assert tiles(run, at(5)) == seven(10, 7, 3, 1, 6, 0, 7)
    errored(sync, 2, now=at(6), reason="partner_unavailable")
    settle(sync, 4, now=at(6))
    assert tiles(run, at(7)) == seven(10, 7, 7, 1, 0, 2, 7)


def test_a_run_that_is_over_keeps_its_figures(running, sync):
    settle(sync, 3, now=at(-40))
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    settle(sync, 6, now=at(1))
    simulator.advance_due(at(5))
    simulator.advance_due(at(10))
    run.refresh_from_db()
    assert run.end == "done"
    journeys.enter(running, Profile.objects.filter(workspace=running.workspace), source="api", now=at(20))
    assert tiles(run, at(30)) == seven(7, 7, 6, 1, 0, 0, 7)
    later = simulator.start(running, BURST, user=None, now=at(40))
    assert simulator.stop(later, user=None, now=at(41))
    settle(sync, 6, now=at(42))
    assert tiles(later, at(50)) == seven(6, 0, 0, 0, 6, 0, 0)


def test_who_was_settled_before_and_is_sent_again_lowers_nothing_below_zero(running, sync):
    run = simulator.start(running, BURST, user=None, now=NOON)
    totals = sync.totals
    totals.refresh_from_db()
    totals.errored, totals.pending = 0, totals.pending + 1  # as Retry does
    totals.save()
    assert tiles(run, at(1)) == seven(4, 0, 0, 0, 4, 0, 0)


def test_who_waits_in_a_delay_is_in_the_picture_and_leaves_after_it(running):
    add(running, "delay", amount=1, unit="minutes")
    people(running.workspace, 4)
    journeys.enter(running, running.workspace.profiles.filter(external_id="u0"), source="api", now=at(-90))
    journeys.advance_due(at(-10))
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    scene = watching.scene_of(watching.watched_run(run), at(1))
    assert (scene.pictures[0].entered, scene.pictures[0].exited, scene.pictures[0].steps[1].metrics.waiting) == (
        3,
        0,
        3,
    )
    journeys.advance_due(at(61))
    scene = watching.scene_of(watching.watched_run(run), at(62))
    assert (scene.pictures[0].exited, dict(scene.tiles)["exited"], dict(scene.tiles)["proceeded"]) == (3, 3, 3)


def test_the_page_says_whose_figures_these_are_and_where_the_others_are(client, bob, running, sync):
    client.force_login(bob)
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    page = client.get(reverse("canvas:simulator_run", args=["shop", run.pk])).content.decode()
    said = re.findall(r'<dd class="number[^"]*">([\d,]+)</dd>', page)
    assert said == ["10", "7", "0", "1", "9", "0", "7"]
    assert "Of this run alone: since it began." in page
    assert "3 users had entered before, and what becomes of them is counted here." in page
    totals = reverse("canvas:analytics", args=["shop", running.pk])
    assert f'<a href="{totals}">All figures of the Canvas</a>' in page


def test_a_canvas_without_a_past_has_no_other_figures(client, bob, running):
    people(running.workspace, 2)
    run = simulator.start(running, BURST, user=None, now=NOON)
    simulator.advance_due(NOON)
    client.force_login(bob)
    page = client.get(reverse("canvas:simulator_run", args=["shop", run.pk])).content.decode()
    assert "All figures of the Canvas" not in page
    assert "entered before" not in page
