"""“Delivery now” in admin: what staff see, and the switch per connection."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import Heartbeat, Pace, Tick
from pinsync.workspaces.models import AuditEvent, User
from pinsync.workspaces.templatetags.ui import duration
from tests.canvas.analytics.sending import errored, waiting
from tests.canvas.conftest import *  # noqa: F403  the shop and its Canvas
from tests.canvas.conftest import people
from tests.helpers import let_in

pytestmark = pytest.mark.django_db
PAGE = "/admin/integrations/connection/now/"


def staff(*permissions: str) -> Client:
    person = User.objects.create_user("staff@example.com", is_staff=True)
    for name in permissions:
        person.user_permissions.add(Permission.objects.get(codename=name))
    client = Client()
    client.force_login(person)
    return client


def words(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_it_tells_who_works_who_waits_and_what_fails(workspace, running, connection):
    now = timezone.now()
    Heartbeat.objects.create(name="host:1", started_at=now, parent_at=now)
    Tick.objects.create(id=1, last_at=now.timestamp() - 3)
    people(workspace, 7)
    sync = running.steps.get().sync
    let_in(sync, workspace.profiles.all(), now - timedelta(minutes=20))
    errored(sync, 1, now=now, reason="record_refused")
    waiting(sync, 2, now=now, reason="partner_unavailable")
    Pace.objects.update(next_slot=now.timestamp() + 90, blocked_until=now.timestamp() + 90)
    answer = staff("view_connection").get(PAGE)
    text = words(answer)
    assert answer.status_code == 200
    assert re.search(r"Batches waiting Batches under way Corrections waiting 1 [34] s ", text), text
    assert re.search(r"Pinterest 777 in \d+ s Rate Limited, next request in \d+ s 2 0 6 \d+ s", text), text
    assert re.search(rf"{connection.pk} shop pinterest Connected 6 20 min 1 \d+ s", text), text
    assert "Pinterest Unavailable 1" in text
    assert "Record Refused 1" in text
    assert "No worker is alive" not in text
    for secret in (connection.access_token, connection.refresh_token, workspace.profiles.first().email):
        assert f">{secret}<" not in answer.content.decode()


def test_it_says_when_nobody_works():
    text = words(staff("view_connection").get(PAGE))
    assert "No worker is alive: nothing is sent." in text
    assert "No workspace is connected." in text


def test_its_clock_is_utc_wherever_the_reader_is():
    client = staff("view_connection")
    User.objects.update(time_zone="Asia/Kathmandu")  # a quarter of an hour off: no hour of UTC looks like it
    before = timezone.now()
    said = re.search(r"As of (\d\d:\d\d:\d\d) UTC", words(client.get(PAGE)))[1]
    assert f"{before:%H:%M:%S}" <= said <= f"{timezone.now():%H:%M:%S}"


def test_nothing_on_it_is_inline(running):
    answer = staff("view_connection", "change_connection").get(PAGE)
    html = answer.content.decode()
    assert "script-src 'self'; style-src 'self'" in answer["Content-Security-Policy"]
    content = html[html.index('id="content-start"') : html.index("END Content")]
    assert not re.search(r"<script|<style| style=| on\w+=", content)


def test_a_connection_is_paused_and_resumed(running, connection):
    client = staff("view_connection", "change_connection")
    address = reverse("admin:integrations_connection_move", args=[connection.pk, "pause"])
    assert f'action="{address}"' in client.get(PAGE).content.decode()
    assert client.get(address).status_code == 405
    answer = client.post(address, follow=True)
    assert f"Connection {connection.pk} is paused." in words(answer)
    connection.refresh_from_db()
    assert connection.paused_at is not None
    assert "paused since" in words(answer)
    again = client.post(reverse("admin:integrations_connection_move", args=[connection.pk, "resume"]), follow=True)
    assert f"Connection {connection.pk} sends again." in words(again)
    connection.refresh_from_db()
    assert connection.paused_at is None
    assert list(AuditEvent.objects.order_by("id").values_list("action", "actor__email")) == [
        ("partner.paused", "staff@example.com"),
        ("partner.unpaused", "staff@example.com"),
    ]


def test_looking_is_not_repairing(running, connection):
    client = staff("view_connection")
    address = reverse("admin:integrations_connection_move", args=[connection.pk, "pause"])
    assert address not in client.get(PAGE).content.decode()
    assert client.post(address).status_code == 403
    connection.refresh_from_db()
    assert connection.paused_at is None


def test_it_is_for_staff_who_may_look(client, alice, connection):
    assert client.get(PAGE).status_code == 302
    client.force_login(alice)
    assert client.get(PAGE).status_code == 302
    assert staff("view_batch").get(PAGE).status_code == 403


def test_the_lists_lead_there(connection):
    client = staff("view_connection", "view_batch")
    for name in ("connection", "batch"):
        answer = client.get(reverse(f"admin:integrations_{name}_changelist"))
        assert f'href="{PAGE}"' in answer.content.decode()


def test_other_moves_and_other_connections_are_refused(connection):
    client = staff("view_connection", "change_connection")
    assert client.post(f"{PAGE}{connection.pk}/delete/").status_code == 403
    assert client.post(f"{PAGE}{connection.pk + 999}/pause/").status_code == 404


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "under 1 s"),
        (0.44, "under 1 s"),
        (1, "1 s"),
        (45.2, "45 s"),
        (179, "3 min"),
        (600, "10 min"),
        (12600, "3.5 h"),
    ],
)
def test_seconds_as_people_say_them(seconds, said):
    assert duration(seconds) == said
