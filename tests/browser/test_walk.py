"""The way from nothing to numbers, as a person walks it; where it forks, and what goes wrong on it."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from canvas import schedules
from canvas.models import Canvas
from integrations.models import Connection
from tests.guide.conftest import Pinterest, connect, profile
from tests.helpers import deliver


@pytest.fixture
def page(window, shop, alice) -> Page:
    found = window(alice)
    found.on("dialog", lambda dialog: dialog.accept())
    return found


@pytest.fixture
def connected(site, shop, alice):
    """The shop, connected with one ad account, without a browser."""
    return connect(Pinterest(site.sandbox), shop, alice)


SECTIONS = ("Entry Schedule", "Target Audience", "Send Settings")


def ask_for_consent(page: Page, shop) -> None:
    page.goto(f"/w/{shop.slug}/partners/")
    page.get_by_role("main").get_by_role("link", name="Pinterest").click()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Connect Pinterest").click()
    expect(page.get_by_role("heading", name="Give an app access")).to_be_visible()


def create_canvas(page: Page, shop, name: str) -> None:
    page.goto(f"/w/{shop.slug}/canvas/")
    page.get_by_role("link", name="Create Canvas").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create Canvas").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    for section in SECTIONS:  # each has a sensible choice already
        expect(page.get_by_role("heading", name=section, level=2)).to_be_visible()
        page.get_by_role("button", name="Save and continue").click()


def add_sync(page: Page) -> None:
    page.locator(".journey-add > summary").last.click()
    page.get_by_role("button", name=re.compile("^Audience Sync")).click()


def test_from_nothing_to_numbers(page: Page, site, shop):
    for name in ("ann", "bea", "cem"):
        profile(shop, name, email=f"{name}@{shop.slug}.example.com")
    ask_for_consent(page, shop)
    page.get_by_role("button", name="Give access").click()
    page.get_by_label("Maple & Moss US").check()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("You successfully connected 1 Pinterest ad account")).to_be_visible()

    create_canvas(page, shop, "Win back")
    add_sync(page)
    page.get_by_role("link", name="Custom Audience").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[role=combobox]").fill(f"Chromium {shop.slug}")
    dialog.get_by_role("button", name="Create Audience").click()
    expect(dialog.get_by_role("alert")).to_contain_text("was created (id ")
    dialog.get_by_label("Email").check()
    dialog.get_by_role("button", name="Done").click()
    card = page.get_by_role("article", name="Audience Sync")
    expect(card.get_by_text(f"Chromium {shop.slug} (")).to_be_visible()

    expect(page.get_by_text("3 users would enter now")).to_be_visible()
    page.clock.install()  # from here on the page's own polls come when we say so
    page.get_by_role("button", name="Launch Canvas").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Active")
    schedules.enter_due(timezone.now())
    page.clock.fast_forward(6_000)
    expect(figure(card, "Users Pending")).to_have_text("3")
    deliver()
    page.clock.fast_forward(6_000)
    expect(figure(card, "Users Synced")).to_have_text("3")
    expect(figure(card, "Users Pending")).to_have_text("0")
    made = next(each for each in site.sandbox.world.audiences.values() if each.name == f"Chromium {shop.slug}")
    assert site.sandbox.world.size(made) == 3 + 1  # and the placeholder that made it


def figure(card, name: str):
    return card.locator("dl > div", has=card.page.get_by_text(name, exact=True)).locator("dd")


def test_cancelling_at_consent_is_a_normal_outcome(page: Page, shop):
    ask_for_consent(page, shop)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("You did not give Pinsync access")).to_be_visible()
    expect(page.get_by_role("button", name="Connect Pinterest")).to_be_visible()
    assert not Connection.objects.filter(workspace=shop).exists()


def test_changing_ones_mind_before_choosing_ad_accounts(page: Page, shop):
    ask_for_consent(page, shop)
    page.get_by_role("button", name="Give access").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Pinterest was not connected.")).to_be_visible()
    assert not Connection.objects.filter(workspace=shop).exists()


def test_a_missing_scope_is_named(page: Page, shop):
    ask_for_consent(page, shop)
    page.get_by_label("ads:write").uncheck()
    page.get_by_role("button", name="Give access").click()
    expect(page.get_by_text("ads:write")).to_be_visible()
    expect(page.get_by_role("button", name="Connect Pinterest")).to_be_visible()


def test_launch_is_refused_with_a_list_of_problems_that_lead_on(page: Page, shop):
    create_canvas(page, shop, "Too early")
    expect(page.get_by_text("There is no step yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Launch Canvas")).to_be_disabled()
    add_sync(page)
    problems = page.get_by_role("region", name="Launch").get_by_role("listitem")
    expect(problems.first).to_be_visible()
    problems.first.get_by_role("link").click()
    expect(page).not_to_have_url(re.compile(rf"/canvas/{Canvas.objects.get(workspace=shop).pk}/$"))
    expect(page.locator("h1")).to_be_visible()


def test_a_launch_that_is_not_ready_is_refused_by_the_server_too(page: Page, shop):
    create_canvas(page, shop, "Too early")
    page.get_by_role("button", name="Launch Canvas").evaluate("button => { button.disabled = false; button.click(); }")
    expect(page.locator("#messages").get_by_text("1 problem stands in the way.")).to_be_visible()
    assert Canvas.objects.get(workspace=shop).state == Canvas.State.DRAFT


def test_a_refused_form_keeps_what_was_typed(page: Page, shop):
    page.goto(f"/w/{shop.slug}/canvas/new/")
    page.get_by_label("Description").fill("Who has not bought for half a year.")
    page.get_by_label("Tags").fill("winter, win-back")
    page.locator("main form").evaluate("form => { form.noValidate = true; }")
    page.get_by_role("button", name="Create Canvas").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("Who has not bought for half a year.")
    expect(page.get_by_label("Tags")).to_have_value("winter, win-back")


def test_a_refused_editor_keeps_what_was_typed(page: Page, shop, connected):
    create_canvas(page, shop, "Win back")
    add_sync(page)
    page.get_by_role("link", name="Custom Audience").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the step").fill("Buyers of spring")
    dialog.locator("input[role=combobox]").fill("Not created yet")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog.get_by_text("There is no audience “Not created yet” yet.")).to_be_visible()
    expect(dialog.get_by_text("Choose at least one field.")).to_be_visible()
    expect(dialog.get_by_label("Name of the step")).to_have_value("Buyers of spring")
    expect(dialog.locator("input[role=combobox]")).to_have_value("Not created yet")
