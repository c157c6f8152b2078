"""`POST /api/v1/profiles`, as a program uses it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from pinsync.profiles.models import Profile
from pinsync.workspaces.keys import create_key
from pinsync.workspaces.models import Role, User, Workspace
from tests.pinsync.profiles.conftest import NOW

Send = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def send(workspace: Workspace) -> Send:
    alice = User.objects.create_user("alice@example.com")
    keys = {role.value: create_key(workspace, role.value, role, alice, NOW)[1] for role in (Role.EDITOR, Role.VIEWER)}

    def send(*profiles: Any, key: str = "editor", body: Any = None) -> tuple[int, dict[str, Any]]:
        response = Client().post(
            "/api/v1/profiles",
            json.dumps({"profiles": profiles}) if body is None else body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {keys.get(key, key)}"},
        )
        return response.status_code, response.json()

    return send


def test_users_are_added_and_updated(send: Send) -> None:
    one = {"external_id": "1", "email": "Ann@example.com", "attributes": {"city": "Seoul", "level": 3, "vip": True}}
    assert send(one, {"email": "bob@example.com"}) == (
        200,
        {"created": 2, "updated": 0, "rejected": 0, "errors": []},
    )
    again = {"external_id": "1", "email": None, "attributes": {"city": "", "level": None, "seen": "2026-01-01 09:00"}}
    assert send(again)[1]["updated"] == 1
    profile = Profile.objects.get(external_id="1")
    assert profile.email == "Ann@example.com"
    assert profile.attributes == {"city": "Seoul", "level": 3, "vip": True, "seen": "2026-01-01T09:00:00Z"}
    assert profile.email_record is not None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("text", "not_an_object"),
        ({}, "no_identifier"),
        ({"email": "n/a"}, "unusable_email"),
        ({"external_id": 5}, "not_text"),
        ({"external_id": "5", "phone": "1"}, "unknown_key"),
        ({"external_id": "x" * 201}, "too_long"),
        ({"external_id": "5\0"}, "nul"),
        ({"external_id": "5\ud800"}, "surrogate"),
        ({"external_id": "5", "attributes": ["a"]}, "not_plain"),
        ({"external_id": "5", "attributes": {"a": [1]}}, "not_plain"),
        ({"external_id": "5", "attributes": {"a": {"b": 1}}}, "not_plain"),
        ({"external_id": "5", "attributes": {"a": float("nan")}}, "not_plain"),
        ({"external_id": "5", "attributes": {"a": 10**400}}, "not_plain"),
        ({"external_id": "5", "attributes": {"a\0": 1}}, "nul"),
        ({"external_id": "5", "attributes": {"": 1}}, "too_long"),
        ({"external_id": "5", "attributes": {"a": "x" * 2001}}, "too_long"),
        ({"external_id": "5", "attributes": {str(n): n for n in range(251)}}, "too_many_attributes"),
    ],
)
def test_a_wrong_object_is_named_by_its_place_and_stops_nothing(send: Send, wrong: Any, code: str) -> None:
    status, answer = send({"external_id": "1"}, wrong, {"external_id": "2"})
    assert (status, answer["created"], answer["rejected"]) == (207, 2, 1)
    assert [(error["index"], error["code"]) for error in answer["errors"]] == [(1, code)]
    assert answer["errors"][0]["message"].endswith(".")
    assert set(Profile.objects.values_list("external_id", flat=True)) == {"1", "2"}


def test_at_most_a_thousand_at_a_time(send: Send) -> None:
    assert send(*({"external_id": str(n)} for n in range(1_000)))[1]["created"] == 1_000
    status, answer = send(*({"external_id": str(n)} for n in range(1_001)))
    assert (status, answer["error"]["code"]) == (413, "too_many")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"profiles": {}}', '{"profiles": []}', "{"])
def test_what_is_no_list_of_profiles_is_refused(send: Send, body: str) -> None:
    status, answer = send(body=body)
    assert (status, set(answer)) == (400, {"error"})


@pytest.mark.parametrize(("key", "status"), [("wrong", 401), ("viewer", 403)])
def test_a_key_of_an_editor_is_needed(send: Send, key: str, status: int) -> None:
    assert send({"external_id": "1"}, key=key)[0] == status
    assert not Profile.objects.exists()
