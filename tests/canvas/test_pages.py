"""The list, a new Canvas, the journey page, its buttons, and what other apps show of Canvases."""

import re

import pytest

from canvas import journeys, launching
from canvas.models import Canvas, Step
from integrations import usage
from integrations.models import AudienceSync
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, erin):
    client.force_login(erin)
    return client


def test_the_list_begins_with_what_to_do_first(editor, workspace):
    page = editor.get("/w/shop/canvas/").content.decode()
    assert "No Canvas yet" in page
    assert 'href="/w/shop/canvas/new/"' in page


def test_a_viewer_is_offered_nothing_to_change(client, bob, running):
    client.force_login(bob)
    page = client.get("/w/shop/canvas/").content.decode()
    assert "/w/shop/canvas/new/" not in page
    page = client.get(f"/w/shop/canvas/{running.pk}/").content.decode()
    for text in ("Custom Audience", "Stop", "/steps/add/", "/edit/", "/settings/"):
        assert text not in page


def links_of(client, address):
    return set(re.findall(r'<a [^>]*href="(/w/shop/[^"#?]*)', client.get(address).content.decode()))


def test_problems_lead_a_viewer_only_where_a_viewer_may_go(client, bob, erin, canvas, connection):
    add(canvas, "audience_sync")
    lost = add(canvas, "audience_sync")
    AudienceSync.objects.filter(pk=lost.sync_id).update(partner=connection.partner)
    type(connection).objects.update(state="broken")
    Canvas.objects.update(entry_kind="event")
    mends = {f"/w/shop/canvas/{canvas.pk}/settings/schedule/", f"/w/shop/canvas/{canvas.pk}/steps/{lost.pk}/"}
    addresses = [f"/w/shop/canvas/{canvas.pk}/", f"/w/shop/canvas/{canvas.pk}/summary/"]
    for address in addresses:
        client.force_login(erin)
        assert mends <= links_of(client, address)
        client.force_login(bob)
        page = client.get(address).content.decode()
        assert "Say which event lets users in." in page
        assert "“Audience Sync”: Choose a partner." in page
        found = links_of(client, address)
        assert f"/w/shop/partners/{connection.partner}/" in found  # there is said whom to ask
        assert {client.get(link).status_code for link in found} == {200}


def test_first_steps_lead_a_viewer_only_where_a_viewer_may_go(client, bob, workspace):
    client.force_login(bob)
    found = links_of(client, "/w/shop/")
    assert "Import your users" in client.get("/w/shop/").content.decode()
    assert {client.get(link).status_code for link in found} == {200}


def test_the_list_shows_state_entered_and_last_launch(editor, running, workspace):
    journeys.enter(running, people(workspace, 1_234), source="api", now=NOON)
    Canvas.objects.create(workspace=workspace, name="Spring", tags=["sale"])
    page = editor.get("/w/shop/canvas/").content.decode()
    assert page.index("Spring") < page.index("Winter")  # the newest first
    assert "1,234" in page
    for text in ("Active", "Draft", "never", "sale"):
        assert text in page


def test_the_list_is_searched_by_name_and_tag_and_the_archive_is_apart(editor, alice, canvas, workspace):
    Canvas.objects.create(workspace=workspace, name="Spring", tags=["sale"])
    launching.archive(canvas, alice, NOON)

    def names(query):
        return [row.canvas.name for row in editor.get(f"/w/shop/canvas/{query}").context["page"].rows]

    assert names("") == names("?q=SPR") == names("?q=sale") == ["Spring"]
    assert names("?q=winter") == []
    assert names("?show=archived") == names("?show=archived&q=win") == ["Winter"]


def test_steps_are_added_moved_and_deleted_from_the_page(editor, canvas):
    base = f"/w/shop/canvas/{canvas.pk}/"
    editor.post(f"{base}steps/add/", {"kind": "audience_sync", "position": 1})
    editor.post(f"{base}steps/add/", {"kind": "delay", "position": 1})
    assert list(canvas.steps.values_list("kind", flat=True)) == ["delay", "audience_sync"]
    delay = canvas.steps.get(kind="delay")
    editor.post(f"{base}steps/{delay.pk}/move/", {"to": "down"})
    assert list(canvas.steps.values_list("kind", flat=True)) == ["audience_sync", "delay"]
    page = editor.get(base).content.decode()
    assert page.index("Custom Audience") < page.index("Set delay")
    assert "1 day" in page
    editor.post(f"{base}steps/{delay.pk}/delete/")
    assert list(canvas.steps.values_list("kind", flat=True)) == ["audience_sync"]
    editor.post(f"{base}steps/add/", {"kind": "nonsense"})
    assert canvas.steps.count() == 1


def test_the_journey_of_a_launched_canvas_is_not_changed_by_its_buttons(editor, running):
    base, step = f"/w/shop/canvas/{running.pk}/", running.steps.get()
    for url, data in (
        ("steps/add/", {"kind": "delay"}),
        (f"steps/{step.pk}/move/", {"to": "up"}),
        (f"steps/{step.pk}/delete/", {}),
    ):
        page = editor.post(base + url, data, follow=True).content.decode()
        assert "This Canvas was launched; its journey stays as it is." in page
    assert Step.objects.count() == 1


def test_a_delay_is_set_in_its_editor(editor, canvas):
    step = add(canvas, "delay")
    url = f"/w/shop/canvas/{canvas.pk}/steps/{step.pk}/"
    assert editor.post(url, {"name": "Wait", "amount": "0", "unit": "days"}).status_code == 422
    assert editor.post(url, {"name": "Wait", "amount": "3", "unit": "days"}).status_code == 302
    step.refresh_from_db()
    assert (step.name, step.settings) == ("Wait", {"amount": 3, "unit": "days"})


def test_launch_stop_resume_and_the_archive_by_their_buttons(editor, canvas, audience):
    base = f"/w/shop/canvas/{canvas.pk}/"
    refused = editor.post(f"{base}launch/", follow=True).content.decode()
    assert "1 problem stands in the way." in refused
    assert "There is no step yet." in refused
    add(canvas, "audience_sync", audience=audience)
    states = []
    for move in ("launch", "stop", "resume", "stop", "archive", "unarchive"):
        assert editor.post(f"{base}{move}/").status_code == 302
        states.append(Canvas.objects.get().state)
    assert states == ["active", "stopped", "active", "stopped", "archived", "stopped"]
    assert "That is not possible any more" in editor.post(f"{base}launch/", follow=True).content.decode()


def test_the_preview_says_who_would_enter_and_what_it_takes(editor, canvas, audience, workspace):
    add(canvas, "audience_sync", audience=audience)
    people(workspace, 2_000)
    page = editor.get(f"/w/shop/canvas/{canvas.pk}/preview/").content.decode()
    assert "<strong>2,000</strong> users would enter now." in page
    assert "“Audience Sync”: 2,000 can be sent, in 2 requests, under 1 s at the partner's limit." in page


def test_what_is_broken_later_is_shown_on_an_active_canvas(editor, running, connection):
    type(connection).objects.update(state="broken")
    page = editor.get(f"/w/shop/canvas/{running.pk}/").content.decode()
    assert "Something keeps users from being sent:" in page
    assert "refuses the token. Reconnect." in page


def test_someone_elses_canvas_is_not_there(client, charlie, running):
    client.force_login(charlie)
    step = running.steps.get()
    for path in ("", "edit/", "settings/basics/", "summary/", "preview/", f"steps/{step.pk}/"):
        assert client.get(f"/w/other/canvas/{running.pk}/{path}").status_code == 404
    for path in ("launch/", "stop/", "steps/add/", f"steps/{step.pk}/delete/"):
        assert client.post(f"/w/other/canvas/{running.pk}/{path}").status_code == 404
    assert Canvas.objects.get().state == "active"


def test_pages_of_partners_name_the_canvases_that_use_something(running, audience, connection, alice):
    for used in (connection, audience.ad_account, audience):
        assert usage.of(used) == [usage.Usage("Winter", f"/w/shop/canvas/{running.pk}/", True)]
    launching.stop(running, alice, NOON)
    assert [found.active for found in usage.of(audience)] == [False]
    launching.archive(running, alice, NOON)
    assert usage.of(audience) == []
    assert AudienceSync.objects.count() == 1


def test_the_home_page_shows_the_newest_canvases(editor, canvas):
    page = editor.get("/w/shop/").content.decode()
    assert f'href="/w/shop/canvas/{canvas.pk}/"' in page


def test_the_page_of_a_user_shows_their_journeys(editor, running, workspace):
    profile = people(workspace, 1).get()
    page = editor.get(f"/w/shop/profiles/{profile.pk}/").content.decode()
    assert "This user has not entered a Canvas yet." in page
    journeys.enter(running, people(workspace, 0), source="api", now=NOON)
    page = editor.get(f"/w/shop/profiles/{profile.pk}/").content.decode()
    assert f'<a href="/w/shop/canvas/{running.pk}/">Winter</a>' in page
