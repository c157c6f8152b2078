"""Django admin, asked by staff: every list, every row, nothing secret, nothing that would edit history."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from canvas import journeys
from canvas.models import Canvas, Entry
from integrations import tasks
from integrations.delivery import giving_up
from integrations.models import (
    AdAccount,
    Arrival,
    Audience,
    Authorization,
    Batch,
    Connection,
    Delivery,
    SyncReason,
    SyncTotals,
)
from pinsync.staff import MOST_ROWS
from pinsync.workspaces.models import AuditEvent, User
from tests.canvas.analytics.sending import errored, settle
from tests.canvas.conftest import *  # noqa: F403  the shop and its Canvas
from tests.canvas.conftest import NOON, people

pytestmark = pytest.mark.django_db
MODELS = [model for label in ("integrations", "canvas") for model in apps.get_app_config(label).get_models()]
COUNTED = ("synchour", "syncminute", "syncreason", "synctotals")
HISTORY = ("arrival", "attempt", "batch", "delivery", "entry", "move", *COUNTED)


@pytest.fixture
def staff():
    client = Client()
    client.force_login(User.objects.create_superuser("staff@example.com", "correct horse"))
    return client


@pytest.fixture
def launched(running, workspace):
    people(workspace, 5)
    journeys.enter(running, workspace.profiles.all(), source="launch", now=NOON)
    sync = running.steps.get().sync
    settle(sync, 2, now=NOON)
    errored(sync, 1, now=NOON, reason="record_refused")
    return running


def rows(staff, model, **query) -> str:
    label = model._meta
    answer = staff.get(reverse(f"admin:{label.app_label}_{label.model_name}_changelist"), query)
    assert answer.status_code == 200, answer.headers
    return answer.content.decode()


def act(staff, action, *objects) -> None:
    label = objects[0]._meta
    address = reverse(f"admin:{label.app_label}_{label.model_name}_changelist")
    answer = staff.post(address, {"action": action, "_selected_action": [one.pk for one in objects]})
    assert answer.status_code == 302


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_can_be_looked_at_and_its_history_not_edited(launched, staff, model):
    assert model in admin.site._registry
    label = model._meta
    rows(staff, model)
    rows(staff, model, q="1")
    rows(staff, model, q="no:such")
    place = f"admin:{label.app_label}_{label.model_name}"
    one = model.objects.first()
    if one is not None:
        assert staff.get(reverse(f"{place}_change", args=[one.pk])).status_code == 200
        assert staff.post(reverse(f"{place}_change", args=[one.pk]), {}).status_code == 403
        assert staff.post(reverse(f"{place}_delete", args=[one.pk]), {"post": "yes"}).status_code == 403
    assert staff.post(reverse(f"{place}_add"), {}).status_code == 403


def test_history_has_rows_to_be_looked_at(launched):
    """Else the test above would look at nothing."""
    counts = {model._meta.model_name: model.objects.count() for model in MODELS}
    assert [name for name in HISTORY if not counts[name]] == []


def test_no_token_is_shown_or_can_be_guessed_at(launched, connection, staff, alice, workspace):
    Connection.objects.filter(pk=connection.pk).update(access_token="pina_secret", refresh_token="pinr_secret")
    authorization = Authorization.objects.create(
        workspace=workspace,
        user=alice,
        partner=connection.partner,
        state_digest="d" * 64,
        created_at=NOON,
        access_token="pina_secret",
    )
    for one in (connection, authorization):
        name = one._meta.model_name
        html = staff.get(reverse(f"admin:integrations_{name}_change", args=[one.pk])).content.decode()
        for secret in ("pina_secret", "pinr_secret", "gAAAA", "d" * 64):
            assert secret not in html
        for guess in ("access_token", "access_token__startswith", "state_digest__startswith"):
            address = reverse(f"admin:integrations_{name}_changelist")
            assert staff.get(address, {guess: "p"}).status_code in (302, 400)
        assert "0 results" in rows(staff, type(one), q="pina_secret")


def test_connections_are_paused_resumed_and_marked(connection, staff):
    act(staff, "pause", connection)
    connection.refresh_from_db()
    assert connection.paused_at is not None
    assert not connection.may_call
    act(staff, "pause", connection)
    act(staff, "resume", connection)
    connection.refresh_from_db()
    assert connection.may_call
    act(staff, "mark_for_reconnect", connection)
    connection.refresh_from_db()
    assert (connection.state, connection.broken_code) == ("broken", "invalid_token")
    actions = AuditEvent.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["partner.paused", "partner.unpaused", "partner.broken"]


def confirm(staff, *objects) -> str:
    """Press Retry, read how many it would be, and confirm; return what was read."""
    label = objects[0]._meta
    address = reverse(f"admin:{label.app_label}_{label.model_name}_changelist")
    form = {"action": "retry", "_selected_action": [one.pk for one in objects]}
    asked = staff.post(address, form)
    assert asked.status_code == 200
    assert not AuditEvent.objects.filter(action="users.retried").exists()  # nothing happened yet
    assert staff.post(address, form | {"confirmed": "yes"}).status_code == 302
    return asked.content.decode()


def test_an_errored_batch_is_retried(launched, staff):
    batch = Batch.objects.get(state=Batch.State.ERRORED)
    accepted = Batch.objects.get(state=Batch.State.ACCEPTED)
    assert "<strong>1</strong> errored user becomes pending again" in confirm(staff, batch, accepted)
    totals = SyncTotals.objects.get()
    assert (totals.synced, totals.errored, totals.pending) == (2, 0, 3)
    event = AuditEvent.objects.get(action="users.retried")
    assert event.detail == {"users": 1, "batch": batch.pk}


def test_one_errored_user_is_retried(launched, staff):
    refused = Delivery.objects.get(batch__state="errored")
    assert "<strong>1</strong> errored user becomes pending again" in confirm(staff, refused)
    assert SyncTotals.objects.get().errored == 0
    assert AuditEvent.objects.get(action="users.retried").detail == {"users": 1, "profile": refused.profile_id}
    assert "Nobody here is errored any more" in retry_page(staff, refused)


def test_all_users_with_a_reason_are_retried(launched, staff):
    sync = launched.steps.get().sync
    errored(sync, 1, now=NOON, reason="partner_unavailable")
    assert "<strong>1</strong>" in confirm(staff, SyncReason.objects.get(reason="record_refused"))
    assert dict(SyncReason.objects.values_list("reason", "users")) == {"record_refused": 0, "partner_unavailable": 1}


def test_whoever_errored_while_nobody_was_connected_is_retried(launched, connection, staff):
    Connection.objects.filter(pk=connection.pk).update(state="broken")
    giving_up.give_up(NOON + timedelta(hours=14))
    Connection.objects.filter(pk=connection.pk).update(state="connected")
    assert "<strong>2</strong> errored users become pending again" in confirm(staff, connection)
    assert (SyncTotals.objects.get().errored, SyncTotals.objects.get().pending) == (1, 2)


def retry_page(staff, one) -> str:
    address = reverse(f"admin:integrations_{one._meta.model_name}_changelist")
    return staff.post(address, {"action": "retry", "_selected_action": [one.pk]}).content.decode()


def test_who_may_only_look_is_offered_no_retry(launched):
    watcher = User.objects.create_user("watcher@example.com", is_staff=True)
    watcher.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(watcher)
    batch = Batch.objects.get(state=Batch.State.ERRORED)
    address = reverse("admin:integrations_batch_changelist")
    client.post(address, {"action": "retry", "_selected_action": [batch.pk], "confirmed": "yes"})
    assert SyncTotals.objects.get().errored == 1


def test_audiences_are_refreshed_by_a_worker(ad_account, staff, django_capture_on_commit_callbacks):
    act(staff, "refresh_audiences", ad_account)
    (task,) = apps.get_model("django_q", "OrmQ").objects.all()
    assert task.func() == "integrations.tasks.refresh_audiences"
    assert callable(tasks.refresh_audiences)


def test_a_creation_that_failed_is_taken_up_again(ad_account, staff):
    failed = Audience.objects.create(
        ad_account=ad_account, name="New", state="failed", failure="partner_unavailable", seen_at=NOON, began_at=NOON
    )
    ready = Audience.objects.create(ad_account=ad_account, name="Old", external_id="1", target_id="2", seen_at=NOON)
    act(staff, "resume_creation", failed, ready)
    failed.refresh_from_db()
    ready.refresh_from_db()
    assert (failed.state, failed.failure, ready.state) == ("creating", "", "ready")


def test_a_canvas_is_stopped_and_resumed(launched, staff):
    act(staff, "stop", launched)
    assert Canvas.objects.get(pk=launched.pk).state == "stopped"
    act(staff, "resume", launched)
    assert Canvas.objects.get(pk=launched.pk).state == "active"


def test_rows_are_found_by_what_staff_know(launched, workspace, staff):
    refused = Delivery.objects.get(batch__state="errored")
    person = workspace.profiles.get(pk=refused.profile_id)
    assert f">{refused.pk}</a>" in rows(staff, Delivery, q=f"user:shop/{person.external_id}")
    assert "0 results" in rows(staff, Delivery, q=f"user:other/{person.external_id}")
    assert "1 result" in rows(staff, Delivery, q=f"batch:{refused.batch_id}")
    assert "3 results" in rows(staff, Delivery, q=f"sync:{refused.sync_id}")
    assert "2 results" in rows(staff, Arrival, q=f"sync:{refused.sync_id}")
    assert "1 result" in rows(staff, Entry, q=f"profile:{person.pk}")
    assert "2 results" in rows(staff, Batch, q="workspace:shop")
    assert "1 result" in rows(staff, Batch, q="reason:record_refused workspace:shop")
    assert "0 results" in rows(staff, Batch, q="workspace:other")
    assert "1 result" in rows(staff, Batch, state__exact="errored")
    assert "1 result" in rows(staff, Audience, q="WINTER")
    assert "1 result" in rows(staff, AdAccount, q="549")


def test_batches_are_filtered_by_the_longest_wait(launched, staff):
    Batch.objects.update(oldest_entered_at=timezone.now())
    assert "0 results" in rows(staff, Batch, older="1d")
    Batch.objects.filter(state="errored").update(oldest_entered_at=NOON - timedelta(days=3650))
    assert "1 result" in rows(staff, Batch, older="1d")


@pytest.mark.parametrize("model", [Delivery, Batch, Entry, Arrival], ids=lambda model: model.__name__)
def test_a_list_costs_the_same_for_few_and_for_many_and_counts_nothing(launched, workspace, staff, model):
    def ask() -> list[str]:
        with CaptureQueriesContext(database) as captured:
            rows(staff, model)
        return [query["sql"] for query in captured]

    ask()
    few = ask()
    journeys.enter(launched, people(workspace, 120, start=100), source="launch", now=NOON)
    for _ in range(60):
        settle(launched.steps.get().sync, 1, now=NOON)
    many = ask()
    assert len(many) == len(few)
    table = model._meta.db_table
    asked = [sql for sql in many if f'"{table}"' in sql]
    assert asked
    assert not [sql for sql in asked if "COUNT(" in sql]
    assert all(f"LIMIT {MOST_ROWS}" in sql or "LIMIT 50" in sql for sql in asked)
