"""Pages that follow what happens: nothing jumps when numbers change, and nobody is asked who need not be."""

import time
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from canvas import journeys
from canvas.models import Canvas
from pinsync.profiles.models import Profile
from tests.guide.conftest import Pinterest, canvas_of, connect, launch
from tests.helpers import deliver, people
from tests.workers import until

POLL_MS = 6_000  # the pages ask every 5 s
MOST_SHIFT = 0.01
MEASURE = """() => {
    window.shifted = 0;
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
    }).observe({type: "layout-shift", buffered: false});
}"""
HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def canvas(site, shop, alice):
    """Active, with two sync steps; users come in by the API."""
    connect(Pinterest(site.sandbox), shop, alice)
    return launched(shop, alice)


@pytest.fixture
def canvas_of_a_newcomer(site, shop, alice):
    """The same, through a Pinterest user that no other test sends by.

    A step's page says how many requests its Pinterest user had in the last minute, in all workspaces: after a test
    that sent some, that number falls by itself.
    """
    world = site.sandbox.world
    number = len(world.pinterest_users)
    world.welcome(number)
    name, ad_accounts = f"person_{number}", (f"Account of person {number}",)
    connect(Pinterest(site.sandbox), shop, alice, person=name, ad_accounts=ad_accounts)
    return launched(shop, alice)


def launched(shop, alice) -> Canvas:
    steps = ("add", f"First {shop.slug}", "email"), ("add", f"Second {shop.slug}", "email")
    return launch(canvas_of(shop, alice, *steps, entry_kind="api"), alice)


@pytest.fixture
def page(window, alice) -> Page:
    """A window whose page asks when we say so."""
    found = window(alice)
    found.clock.install()
    return found


def poll(page: Page, *, change: Callable[[], object] = lambda: None) -> None:
    """Let something happen, then let the page ask, and wait until it has taken the answer in."""
    change()
    with page.expect_event("requestfinished"):
        page.clock.fast_forward(POLL_MS)
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")


@pytest.mark.parametrize(
    ("address", "figure"),
    [
        ("/w/{shop}/canvas/{canvas}/", "#card-metrics-{step} dd"),
        ("/w/{shop}/canvas/{canvas}/analytics/", "#content td.number"),
        ("/w/{shop}/canvas/{canvas}/steps/{step}/analytics/", "#content .value"),
    ],
    ids=["Canvas", "analytics", "step"],
)
def test_nothing_jumps_while_the_numbers_change(page, shop, canvas, address, figure):
    names = {"shop": shop.slug, "canvas": canvas.pk, "step": canvas.steps.first().pk}
    page.goto(address.format(**names))
    page.evaluate(MEASURE)
    figures = page.locator(figure.format(**names))
    seen = [figures.all_inner_texts()]
    for number in (1, 30, 1500):
        arrived = people(shop, number, name=f"of-{number}", email=f"{{name}}-{{n}}@{shop.slug}.example.com")
        poll(page, change=lambda users=arrived: journeys.enter(canvas, users, source="api", now=timezone.now()))
        seen.append(figures.all_inner_texts())
        poll(page, change=deliver)
        seen.append(figures.all_inner_texts())
    assert len({tuple(texts) for texts in seen}) == len(seen)  # they did change, each time
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("window.shifted") < MOST_SHIFT


def test_a_jump_is_measured(page, shop):
    page.goto(f"/w/{shop.slug}/")
    page.evaluate(MEASURE)
    page.evaluate("() => { document.querySelector('.page-head').style.marginTop = '200px'; }")
    page.wait_for_function("limit => window.shifted > limit", arg=MOST_SHIFT)


def test_a_hidden_tab_asks_nobody_and_asks_again_when_it_is_looked_at(page, site, shop, canvas):
    live = f"/w/{shop.slug}/canvas/{canvas.pk}/analytics/cards/"

    def asked() -> int:
        return sum(path == live for path, _status in site.answers)

    page.goto(f"/w/{shop.slug}/canvas/{canvas.pk}/")
    poll(page)
    assert asked() == 1
    page.evaluate(HIDE, True)
    for _ in range(5):
        page.clock.fast_forward(POLL_MS)
    assert asked() == 1
    page.evaluate(HIDE, False)
    poll(page)
    assert asked() == 2


@pytest.mark.parametrize("place", ["", "analytics/", "steps/{step}/analytics/"], ids=["Canvas", "analytics", "step"])
def test_nothing_is_sent_again_while_nothing_changed(page, site, shop, canvas_of_a_newcomer, place):
    canvas = canvas_of_a_newcomer
    step = canvas.steps.first().pk
    until(lambda: time.time() % 60 < 40, 30)  # a chart moves on with the minute
    page.goto(f"/w/{shop.slug}/canvas/{canvas.pk}/{place.format(step=step)}")
    before = len(site.answers)
    for _ in range(3):
        poll(page)
    ours = [(path, status) for path, status in site.answers[before:] if path.startswith(f"/w/{shop.slug}/")]
    polled = [status for path, status in ours if "/retryings/" not in path]  # those are asked for once, by the page
    assert polled == [200, 304, 304]
    assert Profile.objects.filter(workspace=shop).count() == 0
    expect(page.locator("#offline")).to_be_hidden()
