"""Canvases for programs."""

import json
from datetime import timedelta

import pytest

from canvas import repeating
from canvas.models import ApiCall, Canvas, Entry
from pinsync.profiles.models import Segment
from pinsync.workspaces.keys import digest
from pinsync.workspaces.models import ApiKey, Workspace
from tests.canvas.conftest import NOON, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def triggered(running):
    Canvas.objects.update(entry_kind=Canvas.EntryKind.API)
    running.refresh_from_db()
    return running


@pytest.fixture
def key(workspace):
    return make_key(workspace, "editor")


def make_key(workspace, role):
    ApiKey.objects.create(workspace=workspace, name="Shop", role=role, prefix="p", digest=digest(f"{role}-key"))
    return f"{role}-key"


def call(client, canvas, key, body, **headers):
    return client.post(
        f"/api/v1/canvases/{canvas.pk}/enter",
        body if isinstance(body, str) else json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", **headers},
    )


def test_users_enter_by_their_ids(client, triggered, key, workspace):
    people(workspace, 3)
    answer = call(client, triggered, key, {"external_ids": ["u0", "u1", "u1", "nobody"]})
    assert (answer.status_code, answer.json()) == (202, {"entered": 2, "not_entered": 0, "unknown": 1})
    again = call(client, triggered, key, {"external_ids": ["u1", "u2"]})
    assert again.json() == {"entered": 1, "not_entered": 1, "unknown": 0}
    assert set(Entry.objects.values_list("move__source", flat=True)) == {"api"}


@pytest.mark.parametrize("bad", [" ", "u\0", "u\ud800", 7, None])
def test_an_id_that_no_database_takes_is_refused(client, triggered, key, bad):
    answer = call(client, triggered, key, {"external_ids": ["u0", bad]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_exit_criteria_that_make_no_sense_are_said_and_let_nobody_in(client, triggered, key, workspace):
    people(workspace, 1)
    triggered.exit_segment = Segment.objects.create(workspace=workspace, name="Broken", filters={"match": "none"})
    triggered.save()
    answer = call(client, triggered, key, {"external_ids": ["u0"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_usable")
    assert not Entry.objects.exists()


def test_a_body_nested_without_end_is_refused(client, triggered, key):
    answer = call(client, triggered, key, "[" * 100_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_the_same_call_with_the_same_key_happens_once(client, triggered, key, workspace):
    people(workspace, 2)
    Canvas.objects.update(reentry=True)
    body = {"external_ids": ["u0", "u1"]}
    first = call(client, triggered, key, body, **{"Idempotency-Key": "order-7"})
    second = call(client, triggered, key, body, **{"Idempotency-Key": "order-7"})
    assert first.json() == second.json() == {"entered": 2, "not_entered": 0, "unknown": 0}
    assert Entry.objects.count() == 2
    other = call(client, triggered, key, {"external_ids": ["u0"]}, **{"Idempotency-Key": "order-7"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")
    assert call(client, triggered, key, body, **{"Idempotency-Key": "order-8"}).json()["entered"] == 2


def test_a_call_that_failed_may_be_sent_again_with_its_key(client, triggered, key, workspace):
    people(workspace, 1)
    Canvas.objects.update(state=Canvas.State.STOPPED)
    refused = call(client, triggered, key, {"external_ids": ["u0"]}, **{"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_active")
    Canvas.objects.update(state=Canvas.State.ACTIVE)
    assert call(client, triggered, key, {"external_ids": ["u0"]}, **{"Idempotency-Key": "k"}).json()["entered"] == 1


def test_calls_are_forgotten_after_a_day(workspace):
    for hours in (23, 25):
        ApiCall.objects.create(workspace=workspace, key=str(hours), digest="", at=NOON - timedelta(hours=hours))
    repeating.forget(NOON)
    assert list(ApiCall.objects.values_list("key", flat=True)) == ["23"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("nonsense", "invalid_json"),
        ([], "invalid_json"),
        ({}, "invalid_request"),
        ({"external_ids": "u0"}, "invalid_request"),
        ({"external_ids": []}, "invalid_request"),
        ({"external_ids": [1]}, "invalid_request"),
        ({"external_ids": [""]}, "invalid_request"),
        ({"external_ids": [f"u{n}" for n in range(10_001)]}, "too_many"),
    ],
)
def test_what_cannot_be_read_is_refused(client, triggered, key, body, code):
    answer = call(client, triggered, key, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413 if code == "too_many" else 400, code)
    assert Entry.objects.count() == 0


def test_ten_thousand_users_enter_in_one_call(client, triggered, key, workspace):
    people(workspace, 10_000)
    answer = call(client, triggered, key, {"external_ids": [f"u{n}" for n in range(10_000)]})
    assert answer.json() == {"entered": 10_000, "not_entered": 0, "unknown": 0}


def test_nobody_is_called_into_a_canvas_that_enters_at_launch(client, running, key):
    answer = call(client, running, key, {"external_ids": ["u0"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_api_triggered")


def test_keys_reach_their_own_workspace_with_their_own_role(client, triggered, workspace):
    stranger = make_key(Workspace.objects.create(name="Other", slug="other"), "editor")
    assert call(client, triggered, stranger, {"external_ids": ["u0"]}).status_code == 404
    assert call(client, triggered, make_key(workspace, "viewer"), {"external_ids": ["u0"]}).status_code == 403
    assert call(client, triggered, "nonsense", {"external_ids": ["u0"]}).status_code == 401
    get = client.get(f"/api/v1/canvases/{triggered.pk}", headers={"Authorization": f"Bearer {stranger}"})
    assert get.status_code == 404


def test_a_program_reads_state_steps_and_figures(client, triggered, workspace, key):
    people(workspace, 2)
    call(client, triggered, key, {"external_ids": ["u0", "u1"]})
    answer = client.get(f"/api/v1/canvases/{triggered.pk}", headers={"Authorization": f"Bearer {key}"}).json()
    assert (answer["state"], answer["entry"], answer["name"]) == ("active", "api", "Winter")
    (step,) = answer["steps"]
    assert (step["kind"], step["position"]) == ("audience_sync", 1)
    assert step["metrics"] == {
        "entered": 2,
        "proceeded": 2,
        "exited": 2,
        "synced": 0,
        "not_synced": 0,
        "pending": 2,
        "errored": 0,
    }
