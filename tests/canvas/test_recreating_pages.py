"""“Recreate audience” where people meet it: journey, step page, step editor and admin."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations import creating
from integrations.models import Audience, Recreation
from pinsync.workspaces.models import AuditEvent, User
from tests.canvas.analytics.sending import settle
from tests.canvas.conftest import people
from tests.helpers import let_in

HERE = "/w/shop/partners/pinterest/audiences/{}/"


@pytest.fixture
def gone(running, workspace, audience):
    """Seven users were synced before the audience was deleted; two more wait."""
    sync = running.steps.get().sync
    let_in(sync, people(workspace, 7))
    settle(sync, 7, now=timezone.now())
    people(workspace, 2, start=7)
    let_in(sync, workspace.profiles.filter(external_id__in=["u7", "u8"]))
    Audience.objects.update(state="gone", failure="audience_gone")
    audience.refresh_from_db()
    return audience


def words(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_it_is_offered_on_the_journey_the_step_and_in_its_editor(client, erin, running, gone):
    client.force_login(erin)
    step = running.steps.get()
    page = HERE.format(gone.pk) + "recreation/"
    for name, args in (("detail", []), ("step_analytics", [step.pk]), ("step", [step.pk])):
        html = client.get(reverse(f"canvas:{name}", args=["shop", running.pk, *args])).content.decode()
        assert re.search(rf'<a (id="problem-1" )?href="{page}">Recreate audience</a>', html), name


def test_the_count_comes_first(client, erin, gone):
    client.force_login(erin)
    said = words(client.get(HERE.format(gone.pk) + "recreation/"))
    assert "7 users were in it and will be sent again" in said
    assert "That takes about 1 request, under 1 s at the present pace" in said
    assert "2 users still wait and go on to the new one" in said
    assert "Winter" in said
    assert not Recreation.objects.exists()


def test_an_editor_presses_it_and_follows(client, erin, running, gone):
    client.force_login(erin)
    answer = client.post(HERE.format(gone.pk) + "recreate/", follow=True)
    assert "The audience is created again within seconds" in words(answer)
    assert "The audience is being created again" in words(answer)
    assert 'hx-trigger="every 2s"' in answer.content.decode()
    assert "This cannot be cancelled: the partner may have made the audience already" in words(answer)
    event = AuditEvent.objects.get(action="audience.recreated")
    assert (event.actor, event.target) == (erin, "Winter buyers")
    assert "Nothing to recreate" in words(client.post(HERE.format(gone.pk) + "recreate/", follow=True))
    step = reverse("canvas:step_analytics", args=["shop", running.pk, running.steps.get().pk])
    assert "is being created again. Show progress" in words(client.get(step))
    Audience.objects.update(state="ready", external_id="77", target_id="78", failure="")
    Recreation.objects.update(made_at=timezone.now(), to_look_through=9000, looked_through=4000, sent_again=3500)
    live = words(client.get(HERE.format(gone.pk) + "recreation/live/"))
    assert "4,000 of about 9,000 users looked through." in live
    assert "left." not in live  # it has not worked long enough to say
    assert "Sent again 3,500" in live
    assert "This cannot be cancelled: whoever was not sent again yet would count as synced" in live
    Recreation.objects.update(made_at=timezone.now() - timedelta(seconds=230))
    assert "About 5 min left." in words(client.get(HERE.format(gone.pk) + "recreation/live/"))
    assert "About 5 min left." in words(client.get(HERE.format(gone.pk) + "recreation/"))  # after a reload
    Recreation.objects.update(looked_through=9000)
    live = words(client.get(HERE.format(gone.pk) + "recreation/live/"))
    assert "Nearly done." in live
    assert "left." not in live
    Recreation.objects.update(looked_through=4000)
    assert "was created again; 3,500 users are being sent again. Show progress" in words(client.get(step))
    Recreation.objects.update(ended_at=timezone.now())
    html = client.get(HERE.format(gone.pk) + "recreation/live/").content.decode()
    assert "The audience exists again" in html
    assert 'href="/w/shop/partners/pinterest/"' in html
    assert "hx-get" not in html
    assert "Show progress" not in words(client.get(step))


def test_a_failure_says_why_and_offers_another_try(client, erin, gone):
    client.force_login(erin)
    client.post(HERE.format(gone.pk) + "recreate/")
    Audience.objects.update(state="failed", failure="terms_not_accepted", lease_until=None)
    said = words(client.get(HERE.format(gone.pk) + "recreation/"))
    assert "could not be created again. Terms of Service Not Accepted" in said
    assert "Try again" in said
    client.post(HERE.format(gone.pk) + "recreate/")
    gone.refresh_from_db()
    assert gone.state == "creating"
    assert Recreation.objects.count() == 1


def test_a_refusal_is_a_sentence(client, erin, gone, connection):
    client.force_login(erin)
    type(connection).objects.update(state="broken")
    assert "Reconnect first" in words(client.post(HERE.format(gone.pk) + "recreate/", follow=True))
    assert not Recreation.objects.exists()


def test_an_audience_that_exists_has_nothing_to_recreate_and_leads_back(client, erin, running, audience):
    client.force_login(erin)
    for page in ("recreation/", "recreation/live/"):
        answer = client.get(HERE.format(audience.pk) + page)
        assert "There is nothing to recreate" in words(answer)
        card = answer.content.decode().split('id="recreation"')[1].split("</section>")[0]
        back = re.findall(r'<a class="button" href="([^"]+)">', card)
        assert back == [reverse("canvas:detail", args=["shop", running.pk]), "/w/shop/partners/pinterest/"]


def test_a_viewer_looks_and_an_outsider_sees_nothing(client, bob, charlie, gone):
    page, press = HERE.format(gone.pk) + "recreation/", HERE.format(gone.pk) + "recreate/"
    client.force_login(bob)
    answer = client.get(page)
    assert "An Editor of this workspace can recreate it" in words(answer)
    assert press not in answer.content.decode()
    assert client.post(press).status_code == 403
    client.force_login(charlie)
    for answer in (client.get(page), client.get(f"{page}live/"), client.post(press)):
        assert answer.status_code == 404
    assert client.get(page.replace("/w/shop/", "/w/other/")).status_code == 404
    assert client.post(press.replace("/w/shop/", "/w/other/")).status_code == 404
    assert client.get(press).status_code in (404, 405)
    assert not Recreation.objects.exists()


def test_staff_are_asked_with_a_count_first(client, gone, workspace):
    client.force_login(User.objects.create_superuser("staff@example.com", "correct horse"))
    address = reverse("admin:integrations_audience_changelist")
    chosen = {"action": "recreate", "_selected_action": [gone.pk]}
    asked = words(client.post(address, chosen))
    assert "Winter buyers" in asked
    assert "shop 7 2 1 under 1 s" in asked
    assert not Recreation.objects.exists()
    answer = client.post(address, {**chosen, "confirmed": "yes"}, follow=True)
    assert "1 audience is created again within seconds" in words(answer)
    assert Recreation.objects.count() == 1
    Audience.objects.update(state="ready", external_id="77", target_id="78")
    Recreation.objects.update(ended_at=timezone.now())
    assert "None of these was deleted" in words(client.post(address, chosen))


def test_staff_are_told_what_cannot_be(client, gone, ad_account):
    client.force_login(User.objects.create_superuser("staff@example.com", "correct horse"))
    type(ad_account).objects.update(state="available")
    chosen = {"action": "recreate", "_selected_action": [gone.pk], "confirmed": "yes"}
    said = words(client.post(reverse("admin:integrations_audience_changelist"), chosen, follow=True))
    assert "is not connected" in said
    assert "0 audiences" in said


def test_a_large_audience_is_counted_from_its_batches(gone):
    gone.batches.filter(state="accepted").update(users=2_000_000, records=3_000_000)
    assert creating.recreating.forecast(gone).requests == -(-3_000_000 // 1_900)
    assert not creating.recreating.forecast(gone).is_exact
