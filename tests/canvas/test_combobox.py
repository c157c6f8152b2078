"""The audience combobox in a browser: mouse, keyboard, and that it works after every swap."""

import shutil

import pytest
from django.db import connection
from playwright.sync_api import expect, sync_playwright

from integrations.models import Audience, AudienceSync
from tests.canvas.conftest import NOON, add

CHROMIUM = shutil.which("chromium") or ""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]


@pytest.fixture
def page(live_server, client, erin, monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's driver runs a loop in this thread
    client.force_login(erin)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=live_server.url)
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
        found = context.new_page()
        complaints = []
        found.on("pageerror", lambda error: complaints.append(str(error)))
        found.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        yield found
        browser.close()
        connection.close()  # beside a running loop this thread has a connection of its own
    assert complaints == []


def test_an_audience_is_found_and_chosen_by_keyboard_alone(page, canvas, ad_account, audience):
    Audience.objects.bulk_create(
        Audience(
            ad_account=ad_account,
            external_id=f"7{number}",
            target_id="1",
            name=f"Spring {number:04}",
            name_folded=f"spring {number:04}",
            seen_at=NOON,
        )
        for number in range(1200)
    )
    add(canvas, "audience_sync")
    page.goto(f"/w/shop/canvas/{canvas.pk}/")
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
    assert AudienceSync.objects.get().audience.name == "Spring 1199"
