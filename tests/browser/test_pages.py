"""Every page in every state: axe finds nothing in both themes and at both widths, nothing sticks out, it is light."""

import pytest
from playwright.sync_api import Browser, Page, expect

from pinsync import demo
from pinsync.workspaces.models import User
from tests.browser import looking
from tests.browser.conftest import NARROW, WIDE, context_of, watch
from tests.browser.scene import NEWCOMER, VIEWER
from tests.browser.visits import NOBODY, VISITS, Visit

PEOPLE = {"admin": demo.EMAIL, "viewer": VIEWER, "newcomer": NEWCOMER}
MOST = looking.Weight(script=60_000, style=40_000)


class Windows:
    """A window for each person and language, kept open for all pages."""

    def __init__(self, chromium: Browser, site, scene) -> None:
        self.chromium, self.site, self.scene = chromium, site, scene
        self.open: dict[tuple[str, str], Page] = {}
        self.complaints: dict[Page, list[str]] = {}

    def of(self, who: str, locale: str = "en-GB") -> Page:
        if (who, locale) not in self.open:
            user = None if who == NOBODY else User.objects.get(email=PEOPLE[who])
            page = context_of(self.chromium, self.site, user, locale=locale).new_page()
            self.complaints[page] = watch(page)
            self.open[who, locale] = page
        return self.open[who, locale]

    def close(self) -> None:
        for page in self.open.values():
            page.context.close()


@pytest.fixture(scope="module")
def windows(chromium: Browser, site, scene):
    found = Windows(chromium, site, scene)
    yield found
    found.close()


def go(windows: Windows, visit: Visit, locale: str) -> Page:
    page = windows.of(visit.who, locale)
    windows.complaints[page].clear()
    url = visit.url(windows.site, windows.scene)
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == visit.status
    assert page.url.split("?")[0] == url.split("?")[0], "it leads elsewhere"
    looking.settle(page)
    return page


@pytest.mark.parametrize("visit", VISITS, ids=str)
def test_axe_finds_nothing_and_nothing_sticks_out(windows: Windows, visit: Visit):
    page = windows.of(visit.who)
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")
    go(windows, visit, "en-GB")
    if visit.then:
        visit.then(page)
        looking.settle(page)
    looking.load_axe(page)
    found = []
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        found += [f"{size['width']} px {one}" for one in looking.sticks_out(page)]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found += [f"{size['width']} px {scheme} {one}" for one in looking.axe(page, colours_alone=scheme == "dark")]
    found += windows.complaints[page]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("visit", [visit for visit in VISITS if not visit.page.startswith("sandbox:")], ids=str)
def test_it_renders_in_korean_and_is_light(windows: Windows, visit: Visit):
    page = windows.of(visit.who, "ko-KR")
    page.set_viewport_size(NARROW)
    go(windows, visit, "ko-KR")
    assert page.locator("html").get_attribute("lang") == "ko"
    expect(page.locator("h1")).to_be_visible()
    assert looking.sticks_out(page) == []
    weight = looking.weight(page)
    assert 0 < weight.style <= MOST.style
    assert weight.script <= MOST.script
    assert windows.complaints[page] == []
