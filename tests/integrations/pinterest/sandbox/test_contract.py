"""Every endpoint, and every answer the sandbox can give, is what Pinterest's OpenAPI description says.

Callers judge each exchange themselves (conftest.py); here all of them are made once.
"""

import json

import pytest

from integrations.pinterest.sandbox.sandbox import Sandbox
from tests import pinterest_openapi

from .conftest import FERN, INTERIORS, KESTREL, US, Caller, digests


@pytest.fixture(autouse=True)
def description() -> None:
    pinterest_openapi.description()


def test_reading(maple: Caller) -> None:
    assert maple("GET", "/user_account").json()["username"] == "maple_and_moss"
    assert maple("GET", "/user_account", ad_account_id=FERN).json()["username"] == "northwind_media"
    assert len(maple("GET", "/ad_accounts").json()["items"]) == 7
    assert len(maple("GET", "/ad_accounts", include_shared_accounts="false").json()["items"]) == 4
    assert maple("GET", f"/ad_accounts/{KESTREL}").json()["permissions"] == ["ANALYST"]
    for page in ({}, {"page_size": 250}, {"order": "DESCENDING"}):
        audiences = maple("GET", f"/ad_accounts/{US}/audiences", **page).json()["items"]
        lists = maple("GET", f"/ad_accounts/{US}/customer_lists", **page).json()["items"]
        assert (len(audiences), len(lists)) == (9, 5)
    for audience in audiences:
        assert maple("GET", f"/ad_accounts/{US}/audiences/{audience['id']}").json() == audience
    for customer_list in lists:
        assert maple("GET", f"/ad_accounts/{US}/customer_lists/{customer_list['id']}").json() == customer_list
    assert maple("GET", f"/ad_accounts/{US}/audiences", ownership_type="RECEIVED").json()["items"] == []


def test_writing(maple: Caller) -> None:
    list_id = maple.create_list()
    assert maple.change(list_id, "ADD", digests(1_900)).json()["num_uploaded_user_records"] == 1_901
    assert maple.change(list_id, "REMOVE", digests(2)).json()["num_removed_user_records"] == 2
    audience_id = maple.create_audience(list_id)
    path = f"/ad_accounts/{US}/audiences/{audience_id}"
    renamed = maple("PATCH", path, {"name": "Spring buyers", "description": "All of them"}).json()
    assert (renamed["name"], renamed["description"]) == ("Spring buyers", "All of them")
    rule = {"seed_id": [audience_id], "country": "US", "percentage": 3}
    alike = {"name": "Alike", "audience_type": "ACTALIKE", "rule": rule, "ad_account_id": US}
    assert maple("POST", f"/ad_accounts/{US}/audiences", alike).json()["rule"] == rule
    assert maple("PATCH", path, {"operation_type": "REMOVE"}).json()["id"] == audience_id
    assert maple("GET", path).error == (404, 4)


def test_tokens(app: Caller, sandbox: Sandbox) -> None:
    code = sandbox.tokens.new_code("801000000000000001", ["ads:read"], "http://localhost/back", sandbox.clock.now())
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://localhost/back"}
    first = app("POST", "/oauth/token", body | {"continuous_refresh": "true"}, form=True).json()
    assert (first["response_type"], first["scope"], first["expires_in"]) == (
        "authorization_code",
        "ads:read",
        2_592_000,
    )
    body = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = app("POST", "/oauth/token", body, form=True).json()
    assert (second["response_type"], second["refresh_token_expires_in"]) == ("refresh_token", 5_184_000)
    body = {"token": second["refresh_token"], "token_type_hint": "refresh_token"}
    assert app("POST", "/oauth/token/revoke", body, form=True).body == b""


WRONG_QUERIES = [
    ("/ad_accounts", {"page_size": "0"}, (400, 1)),
    ("/ad_accounts", {"page_size": "251"}, (400, 1)),
    ("/ad_accounts", {"page_size": "many"}, (400, 1)),
    ("/ad_accounts", {"include_shared_accounts": "perhaps"}, (400, 1)),
    ("/ad_accounts", {"bookmark": "nonsense"}, (400, 1)),
    (f"/ad_accounts/{US}/audiences", {"page_size": "251"}, (400, 400)),
    (f"/ad_accounts/{US}/audiences", {"order": "SIDEWAYS"}, (400, 400)),
    (f"/ad_accounts/{US}/audiences", {"ownership_type": "STOLEN"}, (400, 400)),
    (f"/ad_accounts/{US}/audiences", {"bookmark": ""}, (400, 400)),
    (f"/ad_accounts/{US}/customer_lists", {"order": "SIDEWAYS"}, (400, 1)),
    (f"/ad_accounts/{US}/audiences/{'9' * 19}", {}, (400, 1)),
    (f"/ad_accounts/{US}/audiences/abc", {}, (400, 1)),
    ("/ad_accounts/abc", {}, (400, 1)),
    ("/ad_accounts/1", {}, (404, 2)),
    (f"/ad_accounts/{INTERIORS}", {}, (403, 29)),
    (f"/ad_accounts/{INTERIORS}/audiences", {}, (403, 29)),
    (f"/ad_accounts/{US}/audiences/1", {}, (404, 4)),
    (f"/ad_accounts/{US}/customer_lists/1", {}, (404, 4)),
    ("/user_account", {"ad_account_id": INTERIORS}, (403, 403)),
    ("/user_account", {"ad_account_id": "x"}, (400, 1)),
]


@pytest.mark.parametrize(("path", "query", "error"), WRONG_QUERIES)
def test_wrong_queries(maple: Caller, path: str, query: dict[str, str], error: tuple[int, int]) -> None:
    assert maple("GET", path, wrong=True, **query).error == error


LISTS, AUDIENCES = f"/ad_accounts/{US}/customer_lists", f"/ad_accounts/{US}/audiences"
LIST = {"name": "x", "records": "0" * 64}
AUDIENCE = {"name": "x", "audience_type": "CUSTOMER_LIST", "rule": {"customer_list_id": "1"}}
ALIKE = {"seed_id": ["2542620600007"], "country": "US", "percentage": 1}
WRONG_BODIES = [
    (LISTS, "{", (400, 1)),
    (LISTS, "[]", (400, 1)),
    (LISTS, {"records": "0" * 64}, (400, 1)),
    (LISTS, {"name": "x"}, (400, 1)),
    (LISTS, LIST | {"name": " "}, (400, 1)),
    (LISTS, LIST | {"name": 7}, (400, 1)),
    (LISTS, LIST | {"name": "\ud800"}, (400, 1)),
    (LISTS, LIST | {"records": "\ud800@example.com"}, (400, 1)),
    (LISTS, LIST | {"records": ""}, (400, 1)),
    (LISTS, LIST | {"records": ","}, (400, 1)),
    (LISTS, LIST | {"records": ["0" * 64]}, (400, 1)),
    (LISTS, LIST | {"list_type": "PHONE"}, (400, 1)),
    (LISTS, LIST | {"records": digests(1_901)}, (413, 413)),
    (AUDIENCES, AUDIENCE, (400, 1)),
    (AUDIENCES, AUDIENCE | {"rule": "x"}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"audience_type": "customer_list"}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"audience_type": "VISITOR"}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"ad_account_id": FERN}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"audience_type": "ACTALIKE", "rule": ALIKE | {"percentage": 11}}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"audience_type": "ACTALIKE", "rule": ALIKE | {"percentage": True}}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"audience_type": "ACTALIKE", "rule": ALIKE | {"country": "usa"}}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"audience_type": "ACTALIKE", "rule": ALIKE | {"seed_id": ["1"]}}, (400, 1)),
    (AUDIENCES, AUDIENCE | {"audience_type": "ACTALIKE", "rule": ALIKE | {"seed_id": [[]]}}, (400, 1)),
]


@pytest.mark.parametrize(("path", "body", "error"), WRONG_BODIES)
def test_wrong_bodies(maple: Caller, path: str, body: dict[str, object] | str, error: tuple[int, int]) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    answer = maple("POST", path, content, wrong=True, headers={"Content-Type": "application/json"})
    assert answer.error == error


def test_wrong_changes(maple: Caller) -> None:
    list_id = maple.create_list()
    audience_id = maple.create_audience(list_id)
    assert maple.change(list_id, "REPLACE", "0" * 64, wrong=True).error == (400, 1)
    assert maple.change("1", "ADD", "0" * 64).error == (404, 4)
    path = f"/ad_accounts/{US}/audiences/{audience_id}"
    for body in ({"operation_type": "DELETE"}, {"rule": {"customer_list_id": "1"}}, {"name": ""}):
        assert maple("PATCH", path, body, wrong=True).error == (400, 1)


def test_wrong_content_type_is_415(maple: Caller, app: Caller) -> None:
    text = {"Content-Type": "text/plain"}
    assert maple("POST", LISTS, json.dumps(LIST), wrong=True, headers=text).error == (415, 415)
    assert app("POST", "/oauth/token", "grant_type=refresh_token", wrong=True, headers=text).error == (415, 415)


def test_unknown_paths_and_methods(sandbox: Sandbox, maple: Caller) -> None:
    headers = {"Authorization": maple.authorization}
    status, answered, body = sandbox.answer("DELETE", f"https://pinterest.test/v5{LISTS}", headers)
    assert (status, answered["Allow"], json.loads(body)["code"]) == (405, "GET, POST", 405)
    status, _, body = sandbox.answer("GET", "https://pinterest.test/v5/pins", headers)
    assert (status, json.loads(body)) == (404, {"code": 4, "message": "The requested path not found."})


def test_a_body_beyond_the_servers_patience_is_413(maple: Caller) -> None:
    assert maple.change(maple.create_list(), "ADD", digests(40_000)).error == (413, 413)


@pytest.mark.parametrize(
    ("authorization", "path", "body"),
    [
        ("", "/user_account", None),
        ("Bearer", "/user_account", None),
        ("Bearer pina_unknown", "/user_account", None),
        ("Basic é", "/oauth/token", {"grant_type": "refresh_token", "refresh_token": "x"}),
        ("Basic !", "/oauth/token", {"grant_type": "refresh_token", "refresh_token": "x"}),
        ("Basic eDp5", "/oauth/token", {"grant_type": "refresh_token", "refresh_token": "x"}),
        ("Basic eDp5", "/oauth/token/revoke", {"token": "x"}),
    ],
)
def test_wrong_credentials_are_401(
    sandbox: Sandbox, authorization: str, path: str, body: dict[str, str] | None
) -> None:
    stranger = Caller(sandbox, authorization)
    answer = stranger("POST" if body else "GET", path, body, form=True, wrong=True)
    assert (answer.status, answer.json()) == (401, {"code": 2, "message": "Authentication failed."})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"grant_type": "client_credentials", "scope": "ads:read"},
        {"grant_type": "authorization_code", "code": "x"},
        {"grant_type": "authorization_code", "code": "x", "redirect_uri": "http://localhost/"},
        {"grant_type": "refresh_token"},
    ],
)
def test_wrong_token_requests_are_400(app: Caller, body: dict[str, str]) -> None:
    assert app("POST", "/oauth/token", body, form=True, wrong=True).error == (400, 1)


def test_wrong_revocations_are_400(app: Caller) -> None:
    assert app("POST", "/oauth/token/revoke", {}, form=True, wrong=True).error == (400, 1)
    body = {"token": "x", "token_type_hint": "cookie"}
    assert app("POST", "/oauth/token/revoke", body, form=True, wrong=True).error == (400, 1)


BROKEN = [
    ({"size": "12"}, "size"),
    ({"status": 7}, "status"),
    ({"mood": "good"}, "mood"),
    ({"rule": {"mood": "good"}}, "mood"),
]


@pytest.mark.parametrize(("change", "word"), BROKEN)
def test_the_judge_is_strict(maple: Caller, change: dict[str, object], word: str) -> None:
    """A judge that lets everything pass would make all of the above worthless."""
    path = f"/ad_accounts/{US}/audiences/2542620600007"
    answer = maple("GET", path)
    headers = {"Authorization": maple.authorization}
    exchange = ("GET", f"https://pinterest.test/v5{path}", headers, None, 200, answer.headers)
    pinterest_openapi.validate_exchange(*exchange, answer.body)
    with pytest.raises(pinterest_openapi.ContractBroken, match=word):
        pinterest_openapi.validate_exchange(*exchange, json.dumps(answer.json() | change))


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", "/boards", {}, None),
        ("GET", "/user_account?mood=good", {}, None),
        ("GET", "/user_account", {"Authorization": "Basic x"}, None),
        ("GET", "/user_account", {}, "{}"),
        ("PATCH", f"{LISTS}/x", {"Content-Type": "application/json"}, '{"operation_type": "ADD", "records": ""}'),
        ("PATCH", f"{LISTS}/1", {"Content-Type": "application/json"}, '{"operation_type": "ADD"}'),
        ("PATCH", f"{LISTS}/1", {"Content-Type": "text/plain"}, '{"operation_type": "ADD", "records": ""}'),
        (
            "PATCH",
            f"{LISTS}/1",
            {"Content-Type": "application/json"},
            '{"operation_type": "ADD", "records": "", "x": 1}',
        ),
    ],
)
def test_the_judge_refuses_wrong_requests(method: str, path: str, headers: dict[str, str], body: str | None) -> None:
    sent = {"Authorization": "Bearer x"} | headers
    with pytest.raises(pinterest_openapi.ContractBroken):
        pinterest_openapi.validate_request(method, f"https://pinterest.test/v5{path}", sent, body)
