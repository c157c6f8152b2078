"""Canvas and the Audience Sync step (product page, section 3)."""

import pytest
from django.utils import timezone

from canvas import building, journeys, launching, previewing
from canvas.models import Canvas
from integrations.models import Audience
from tests.guide.conftest import canvas_of, launch, metrics, profile, wait
from tests.helpers import deliver


def test_a_new_audience_is_a_draft_to_which_nothing_flows_before_launch(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas_of(shop, alice, ("add", "Winter buyers", "email"))
    deliver()
    assert pinterest.audiences() == {"Winter buyers": 0}
    assert Audience.objects.get(name="Winter buyers").state == Audience.State.READY


def test_launch_is_refused_with_a_sentence_and_a_link_for_each_problem(shop, alice):
    canvas = canvas_of(shop, alice)
    with pytest.raises(launching.NotReady):
        launching.launch(canvas, alice, timezone.now())
    (problem,) = launching.problems(canvas, timezone.now())
    assert (problem.text, problem.url) == (
        "There is no step yet. Add one to the journey.",
        f"/w/shop/canvas/{canvas.pk}/",
    )


def test_before_launch_the_page_says_who_would_enter_and_what_it_takes(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    profile(shop, "bea", email="bea@example.com", idfa="7F6B3C1E-2D5A-4B8C-9E0F-112233445566")
    profile(shop, "nobody")
    canvas = canvas_of(shop, alice, ("add", "Winter buyers", "email,idfa"))
    seen = previewing.preview(canvas, timezone.now())
    assert seen.coverage == {"total": 3, "email": 2, "idfa": 1, "gaid": 0}
    assert [(each.users, each.requests) for each in seen.forecasts] == [(2, 1)]


def test_users_are_added_and_after_a_delay_taken_out_again(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    steps = ("add", "Winter buyers", "email"), ("delay", 2, "days"), ("remove", "Winter buyers", "email")
    canvas = launch(canvas_of(shop, alice, *steps), alice)
    deliver()
    assert pinterest.audiences() == {"Winter buyers": 1}
    wait(days=1)
    assert pinterest.audiences() == {"Winter buyers": 1}
    wait(days=2, minutes=1)
    assert pinterest.audiences() == {"Winter buyers": 0}
    assert (metrics(canvas, 0)["exited"], metrics(canvas, 2)["exited"]) == (0, 1)


def test_without_reentry_a_user_enters_once_with_it_again_and_is_sent_again(pinterest, connected, shop, alice):
    everybody = type(profile(shop, "ann", email="ann@example.com")).objects.filter(workspace=shop)
    once = launch(canvas_of(shop, alice, ("add", "Once", "email")), alice)
    again = launch(canvas_of(shop, alice, ("add", "Again", "email"), reentry=True), alice)
    deliver()
    for canvas in (once, again):
        journeys.enter(canvas, everybody, source="api", now=timezone.now())
    deliver()
    assert (metrics(once)["entered"], metrics(again)["entered"]) == (1, 2)
    assert metrics(again)["synced"] == 2
    assert len(pinterest.requests("ADD")) == 3


def test_stop_lets_nobody_in_and_still_sends_who_is_pending(pinterest, connected, shop, alice):
    everybody = type(profile(shop, "ann", email="ann@example.com")).objects.filter(workspace=shop)
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email"), reentry=True), alice)
    launching.stop(canvas, alice, timezone.now())
    with pytest.raises(journeys.NotActive):
        journeys.enter(canvas, everybody, source="api", now=timezone.now())
    deliver()
    assert metrics(canvas)["synced"] == 1
    launching.resume(canvas, alice, timezone.now())
    assert Canvas.objects.get(pk=canvas.pk).state == Canvas.State.ACTIVE


def test_who_waits_in_a_delay_leaves_a_stopped_canvas_when_it_ends(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("delay", 1, "hours"), ("add", "Late", "email")), alice)
    launching.stop(canvas, alice, timezone.now())
    wait(hours=2)
    assert metrics(canvas, 1)["entered"] == 0
    assert pinterest.audiences() == {"Late": 0}


def test_an_audience_of_the_ad_account_can_be_chosen_by_its_name(pinterest, connected, shop, alice):
    theirs = next(
        each
        for each in pinterest.sandbox.world.audiences_of(connected.ad_accounts.get(state="connected").external_id)
        if each.audience_type == "CUSTOMER_LIST"
    )
    audience = building.audience_called(building.ad_account_in_use(shop), theirs.name, timezone.now())
    assert (audience.external_id, audience.target_id) == (theirs.id, theirs.customer_list_id)
    assert not pinterest.audiences()
