"""API keys: shown once, revoked for good, worth nothing elsewhere. And what `api_view` answers."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from django.test import RequestFactory
from django.views.decorators.http import require_POST

from pinsync.workspaces.access import ApiError, api_view, json_body
from pinsync.workspaces.keys import create_key, revoke_key
from pinsync.workspaces.models import ApiKey, AuditEvent, Role, Workspace
from tests.pinsync.workspaces.conftest import NOON, browser_of


@api_view(Role.EDITOR)
@require_POST
def echo(request, workspace, **kwargs):
    """Stands for any view of the API."""
    body = json_body(request)
    if body.get("raise") == "404":
        raise Http404
    if body.get("raise") == "403":
        raise PermissionDenied
    if body.get("raise") == "api":
        raise ApiError(422, "no_such_canvas", "There is no Canvas 5.")
    return JsonResponse({"workspace": workspace.slug, "body": body})


def ask(secret, body=None, method="post", view=echo, scheme="Bearer", raw=None):
    data = raw if raw is not None else json.dumps(body or {})
    headers = {"Authorization": f"{scheme} {secret}"} if secret else {}
    request = getattr(RequestFactory(), method)("/api/v1/echo", data, content_type="application/json", headers=headers)
    return view(request)


def error(answer):
    return answer.status_code, json.loads(answer.content)["error"]["code"]


@pytest.fixture
def key(acme, alice):
    return create_key(acme, "Web shop", Role.EDITOR, alice, NOON)


def test_a_key_is_shown_once_and_only_its_digest_is_kept(acme, alice):
    browser = browser_of(alice)
    page = browser.post("/w/acme/api-keys/create/", {"name": "Web shop", "role": "editor"})
    secret = page.context["secret"]
    assert secret in page.content.decode()
    assert page["Cache-Control"] == "private, no-store"
    key = ApiKey.objects.get()
    assert len(secret) == 48
    assert secret.startswith(key.prefix)
    assert secret not in str(ApiKey.objects.values()) + str(AuditEvent.objects.values())
    assert secret not in browser.get("/w/acme/api-keys/").content.decode()
    assert json.loads(ask(secret, {"a": 1}).content) == {"workspace": "acme", "body": {"a": 1}}


def test_no_key_of_an_admin_can_be_made(acme, alice):
    page = browser_of(alice).post("/w/acme/api-keys/create/", {"name": "Root", "role": "admin"})
    assert "role" in page.context["form"].errors
    assert not ApiKey.objects.exists()


def test_a_revoked_key_is_worth_nothing(key, alice):
    found, secret = key
    assert ask(secret).status_code == 200
    browser_of(alice).post(f"/w/acme/api-keys/{found.pk}/revoke/")
    assert error(ask(secret)) == (401, "unauthorized")
    assert not revoke_key(found, alice, NOON)
    assert list(AuditEvent.objects.values_list("action", flat=True)) == ["api_key.created", "api_key.revoked"]


@pytest.mark.parametrize("secret", ["", "pins_unknown", "0" * 64])
def test_an_unknown_key_is_refused(db, secret):
    answer = ask(secret)
    assert error(answer) == (401, "unauthorized")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_the_digest_is_no_key(key):
    assert error(ask(key[0].digest)) == (401, "unauthorized")


def test_only_bearer_counts(key):
    assert error(ask(key[1], scheme="Basic")) == (401, "unauthorized")
    assert ask(key[1], scheme="bearer").status_code == 200


def test_a_key_opens_its_own_workspace_only(key, charlie):
    other = Workspace.objects.get(slug="other")
    _found, secret = create_key(other, "Theirs", Role.EDITOR, charlie, NOON)
    assert json.loads(ask(secret).content)["workspace"] == "other"
    assert browser_of(charlie).post(f"/w/other/api-keys/{key[0].pk}/revoke/").status_code == 404
    assert ask(key[1]).status_code == 200


def test_a_key_may_no_more_than_its_role(acme, alice):
    _found, secret = create_key(acme, "Reports", Role.VIEWER, alice, NOON)
    assert error(ask(secret)) == (403, "forbidden")


@pytest.mark.parametrize(
    ("what", "expected"),
    [("404", (404, "not_found")), ("403", (403, "forbidden")), ("api", (422, "no_such_canvas"))],
)
def test_what_a_view_raises_is_answered_as_json(key, what, expected):
    assert error(ask(key[1], {"raise": what})) == expected


@pytest.mark.parametrize("raw", ["", "{", "[]", '"text"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(key, raw):
    assert error(ask(key[1], raw=raw)) == (400, "invalid_json")


def test_a_body_that_is_too_large_is_refused(key, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert error(ask(key[1], {"long": "text" * 10})) == (413, "too_large")


def test_the_wrong_method_is_refused_as_json(key):
    answer = ask(key[1], method="put")
    assert error(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "POST"


def test_a_key_is_limited_and_told_when_to_come_back(key, settings, acme, alice):
    settings.API_REQUESTS_PER_MINUTE = 3
    assert [ask(key[1]).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = ask(key[1])
    assert error(answer) == (429, "rate_limited")
    assert 1 <= int(answer["Retry-After"]) <= 60
    _found, secret = create_key(acme, "Another", Role.EDITOR, alice, NOON)
    assert ask(secret).status_code == 200


def test_the_use_of_a_key_is_noted(key):
    ask(key[1])
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    ask(key[1])
    assert ApiKey.objects.get().last_used_at == first


def test_a_session_is_no_key_and_no_csrf_token_is_asked_for(key, alice):
    assert echo.csrf_exempt
    request = RequestFactory().post("/api/v1/echo")
    request.user = alice
    assert error(echo(request)) == (401, "unauthorized")
