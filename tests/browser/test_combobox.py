"""The audience combobox in a browser: mouse, keyboard, and that it works after every swap."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from canvas.models import Canvas
from integrations.models import AdAccount, Audience, AudienceSync, Connection
from tests.canvas.conftest import add


@pytest.fixture
def ad_account(shop):
    """One with 1,201 audiences in the local copy; nobody is asked."""
    now = timezone.now()
    connection = Connection.objects.create(
        workspace=shop,
        partner="pinterest",
        partner_user_id="777",
        access_token="token",
        refresh_token="refresh",
        access_expires_at=now + timedelta(days=30),
        connected_at=now,
    )
    found = AdAccount.objects.create(
        connection=connection, external_id="549", name="Shop Korea", state=AdAccount.State.CONNECTED, seen_at=now
    )
    names = [f"Spring {number:04}" for number in range(1200)]
    Audience.objects.bulk_create(
        Audience(ad_account=found, external_id=f"7{n}", target_id="1", name=name, name_folded=name.lower(), seen_at=now)
        for n, name in enumerate(names)
    )
    return found


def test_an_audience_is_found_and_chosen_by_keyboard_alone(window, shop, alice, ad_account):
    canvas = Canvas.objects.create(workspace=shop, name="Winter")
    audience = Audience.objects.create(
        ad_account=ad_account, external_id="2542", target_id="6431", name="Winter buyers", seen_at=timezone.now()
    )
    add(canvas, "audience_sync")
    page = window(alice)
    page.goto(f"/w/{shop.slug}/canvas/{canvas.pk}/")
    page.get_by_role("link", name="Custom Audience").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_role("combobox", name="Choose a New or Existing Audience")
    options = dialog.get_by_role("listbox", name="Audiences").get_by_role("option")

    field.click()
    expect(options).to_have_count(50)
    field.press_sequentially("winter")
    expect(options).to_have_count(2)  # the one that exists, and the offer to create
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(options.last).to_have_text("Create “winter”")
    field.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", f"audience-{audience.pk}")
    field.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(dialog).to_be_visible()  # Escape closed the list alone
    field.press("ArrowDown")
    expect(options).to_have_count(2)
    field.press("ArrowDown")
    field.press("Enter")
    expect(field).to_have_value("Winter buyers")
    expect(dialog.get_by_role("button", name="Create Audience")).to_be_hidden()

    dialog.get_by_role("button", name="Done").click()  # no field yet: the editor says so, and is swapped
    expect(dialog.get_by_text("Choose at least one field.")).to_be_visible()
    expect(field).to_have_value("Winter buyers")
    dialog.get_by_label("Email").check()
    field.fill("A new one")
    expect(dialog.get_by_role("button", name="Create Audience")).to_be_visible()
    expect(options.last).to_have_text("Create “A new one”")
    field.fill("spring 1199")
    expect(options).to_have_count(1)
    options.first.click()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Spring 1199 (71199)")).to_be_visible()
    assert AudienceSync.objects.get(workspace=shop).audience.name == "Spring 1199"
