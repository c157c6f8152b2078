"""What pages and staff see of corrections, and of intents that a later one overtook."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from canvas import journeys
from canvas.analytics import metrics
from integrations.delivery import correcting, giving_up
from integrations.models import Batch, Connection
from pinsync.profiles.rows import make_row
from pinsync.profiles.upserting import write
from pinsync.workspaces.models import AuditEvent, User
from tests.canvas.analytics.sending import settle
from tests.canvas.conftest import NOON, add, people
from tests.helpers import let_in, reasons

pytestmark = pytest.mark.django_db


def browser(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def step(running):
    return running.steps.select_related("sync", "canvas").get()


@pytest.fixture
def given_up(workspace, running, step):
    """Two users who were synced got other addresses, and nothing could be sent for 14 hours."""
    people(workspace, 2)
    journeys.enter(running, workspace.profiles.all(), source="launch", now=NOON)
    settle(step.sync, 2, now=NOON)
    with transaction.atomic():
        rows = [make_row(f"u{n}", f"changed{n}@example.com", "", "", {}) for n in range(2)]
        write(workspace, rows, run=None, now=NOON)
    correcting.follow(NOON)
    Connection.objects.update(state=Connection.State.BROKEN)
    giving_up.give_up(NOON + timedelta(hours=14))
    return Batch.objects.get(is_correction=True, operation="remove")


def test_a_correction_says_what_it_is_and_moves_no_figure(given_up, step, bob):
    before = metrics(step)
    html = browser(bob).get(f"/w/shop/canvas/batches/{given_up.pk}/").content.decode()
    assert "2 records of users whose data changed" in html
    assert "Invalid Token" in html
    assert "Its users are in other batches now." not in html
    assert (before.entered, before.synced, before.errored) == (2, 2, 0)
    listed = browser(bob).get(f"/w/shop/canvas/{step.canvas_id}/steps/{step.pk}/users/", {"state": "errored"})
    assert f"#{given_up.pk}" not in listed.content.decode()


def test_a_correction_can_be_retried_with_a_count_before_it_happens(given_up, erin):
    client = browser(erin)
    address = f"/w/shop/canvas/batches/{given_up.pk}/retry/"
    assert "<strong>2</strong> records of users whose data changed" in client.get(address).content.decode()
    answer = client.post(address, follow=True)
    assert "2 records are looked at again." in answer.content.decode()
    assert correcting.waiting() == 2
    assert AuditEvent.objects.get(action="users.retried").detail == {"users": 2, "batch": given_up.pk}
    assert "Nobody was retried" in client.post(address, follow=True).content.decode()


def test_a_viewer_may_not_retry_a_correction(given_up, bob):
    assert browser(bob).post(f"/w/shop/canvas/batches/{given_up.pk}/retry/").status_code == 403


def test_staff_see_and_retry_corrections(given_up):
    client = browser(User.objects.create_superuser("staff@example.com", "correct horse"))
    listed = client.get("/admin/integrations/batch/", {"is_correction__exact": "1"}).content.decode()
    assert f">{given_up.pk}</a>" in listed
    form = {"action": "retry", "_selected_action": [given_up.pk]}
    asked = client.post("/admin/integrations/batch/", form).content.decode()
    assert "<strong>2</strong> records of corrections are looked at again." in asked
    answer = client.post("/admin/integrations/batch/", form | {"confirmed": "yes"}, follow=True)
    assert "2 records are looked at again." in answer.content.decode()
    assert "pending again" not in answer.content.decode()
    assert "Corrections waiting" in client.get("/admin/integrations/connection/now/").content.decode()


def test_an_intent_that_a_later_one_overtook_is_shown_with_its_reason(workspace, running, step, audience, bob):
    out = add(running, "audience_sync", audience=audience, operation="remove")
    people(workspace, 2)
    let_in(step.sync, workspace.profiles.all(), timezone.now())
    let_in(out.sync, workspace.profiles.filter(external_id="u0"), timezone.now())
    settle(out.sync, 1, now=timezone.now())
    settle(step.sync, 1, now=timezone.now())
    assert reasons(step.sync) == {"superseded": 1}
    client = browser(bob)
    users = f"/w/shop/canvas/{running.pk}/steps/{step.pk}/users/"
    for chosen in ({"state": "not_synced"}, {"state": "not_synced", "reason": "superseded"}):
        html = client.get(users, chosen).content.decode()
        assert ">u0</a>" in html
        assert ">u1</a>" not in html
        assert ">Superseded</span>" in html
        assert "A later step asked for the opposite" in html
    page = client.get(f"/w/shop/canvas/{running.pk}/steps/{step.pk}/analytics/").content.decode()
    assert "Superseded" in page
