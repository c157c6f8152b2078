"""Consent, codes, and refresh tokens that rotate without ever locking a client out."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from integrations.pinterest.sandbox import facts
from integrations.pinterest.sandbox.errors import AnswerDropped
from integrations.pinterest.sandbox.sandbox import App, Sandbox
from integrations.pinterest.sandbox.testing import ManualClock

from .conftest import MAPLE, Answer, Caller

BACK = "http://127.0.0.1:8000/back?from=pinterest"
QUESTION = {
    "client_id": facts.APP_ID,
    "redirect_uri": BACK,
    "response_type": "code",
    "scope": "user_accounts:read,ads:read ads:write",
    "state": "a&b",
}
ALLOW = [("pinterest_user", MAPLE), ("decision", "allow")]
ALL = [("scope", scope) for scope in facts.USED_SCOPES]


def consent(sandbox: Sandbox, fields: list[tuple[str, str]] | None, **changes: str) -> Answer:
    url = f"https://pinterest.test/oauth/?{urlencode(QUESTION | changes)}"
    if fields is None:
        return Answer(*sandbox.answer("GET", url))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Answer(*sandbox.answer("POST", url, headers, urlencode(fields)))


def sent_back(answer: Answer) -> dict[str, str]:
    assert answer.status == 302
    address = urlsplit(answer.headers["Location"])
    assert address._replace(query="").geturl() == "http://127.0.0.1:8000/back"
    return {name: values[0] for name, values in parse_qs(address.query).items()}


def exchange(app: Caller, code: str, redirect_uri: str = BACK) -> Answer:
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    return app("POST", "/oauth/token", body, form=True)


def refresh(app: Caller, token: str, **more: str) -> Answer:
    return app("POST", "/oauth/token", {"grant_type": "refresh_token", "refresh_token": token, **more}, form=True)


def works(sandbox: Sandbox, access_token: str) -> bool:
    return Caller(sandbox, f"Bearer {access_token}")("GET", "/user_account").status == 200


@pytest.fixture
def tokens(control: Callable[..., Any]) -> dict[str, Any]:
    first: dict[str, Any] = control("POST", "tokens", {"pinterest_user": MAPLE})
    return first


def test_the_page_shows_people_and_scopes(sandbox: Sandbox) -> None:
    page = consent(sandbox, None)
    assert page.status == 200
    for text in ("maple_and_moss", "northwind_media", "ads:write", "Give access", "Cancel", "127.0.0.1:8000"):
        assert text in page.body.decode()


def test_giving_access(sandbox: Sandbox, app: Caller) -> None:
    back = sent_back(consent(sandbox, ALLOW + ALL))
    assert (back["state"], back["from"]) == ("a&b", "pinterest")
    given = exchange(app, back["code"]).json()
    assert given["scope"] == "ads:read ads:write user_accounts:read"
    assert works(sandbox, given["access_token"])


def test_unticked_scopes_are_missing(sandbox: Sandbox, app: Caller) -> None:
    unasked = ("scope", "boards:read")
    back = sent_back(consent(sandbox, [*ALLOW, ALL[0], unasked]))
    assert exchange(app, back["code"]).json()["scope"] == "user_accounts:read"


def test_cancel(sandbox: Sandbox) -> None:
    back = sent_back(consent(sandbox, [("decision", "cancel")]))
    assert (back["error"], back["state"]) == ("access_denied", "a&b")
    assert "code" not in back


def test_a_code_works_once_for_its_address_and_ten_minutes(sandbox: Sandbox, app: Caller, clock: ManualClock) -> None:
    code = sent_back(consent(sandbox, ALLOW + ALL))["code"]
    assert exchange(app, code, "http://127.0.0.1:8000/other").error == (400, 1)
    assert exchange(app, code).status == 200
    assert exchange(app, code).error == (400, 1)
    late = sent_back(consent(sandbox, ALLOW + ALL))["code"]
    clock.sleep(600)
    assert exchange(app, late).error == (400, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "7"},
        {"redirect_uri": "https://example.com/back"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://127.0.0.1.example.com/"},
        {"redirect_uri": "http://[/"},
        {"redirect_uri": "http://example.com\\@127.0.0.1/"},
        {"redirect_uri": "http://127.0.0.1@example.com/"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"scope": ""},
        {"scope": "ads:read,world:rule"},
    ],
)
def test_wrong_questions_are_not_sent_back(sandbox: Sandbox, changes: dict[str, str]) -> None:
    for fields in (None, ALLOW + ALL):
        answer = consent(sandbox, fields, **changes)
        assert answer.status == 400
        assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "redirect_uri", ["http://localhost:1/", "http://[::1]/x", "https://a.localhost/", "http://127.9.9.9/"]
)
def test_addresses_of_this_machine_are_fine(sandbox: Sandbox, redirect_uri: str) -> None:
    assert consent(sandbox, None, redirect_uri=redirect_uri).status == 200


def test_other_addresses_are_fine_where_the_sandbox_listens_to_others() -> None:
    assert consent(Sandbox(app=App(only_loopback=False)), None, redirect_uri="https://example.com/").status == 200


def test_somebody_has_to_be_chosen(sandbox: Sandbox) -> None:
    assert consent(sandbox, [("pinterest_user", "nobody"), ("decision", "allow")]).status == 400
    assert consent(sandbox, [("pinterest_user", MAPLE), ("decision", "maybe")]).status == 400


def test_nothing_of_the_question_is_trusted_on_the_page(sandbox: Sandbox) -> None:
    page = consent(sandbox, None, redirect_uri='http://localhost/"><script>', state='"><script>')
    assert b"<script>" not in page.body


def test_tokens_expire_after_30_and_60_days(
    sandbox: Sandbox, app: Caller, clock: ManualClock, tokens: dict[str, Any]
) -> None:
    clock.sleep(30 * facts.DAY - 1)
    assert works(sandbox, tokens["access_token"])
    clock.sleep(1)
    assert not works(sandbox, tokens["access_token"])
    clock.sleep(30 * facts.DAY)
    assert refresh(app, tokens["refresh_token"]).error == (401, 2)


def test_a_refresh_lives_60_days_again_and_for_ever_so(app: Caller, clock: ManualClock, tokens: dict[str, Any]) -> None:
    token = tokens["refresh_token"]
    for _ in range(6):
        clock.sleep(50 * facts.DAY)
        answer = refresh(app, token, continuous_refresh="true").json()
        assert answer["refresh_token_expires_at"] == int(clock.now()) + 60 * facts.DAY
        token = answer["refresh_token"]


def test_a_used_refresh_token_dies_when_the_new_access_token_is_used(
    sandbox: Sandbox, app: Caller, tokens: dict[str, Any]
) -> None:
    new = refresh(app, tokens["refresh_token"]).json()
    assert works(sandbox, new["access_token"])
    assert refresh(app, tokens["refresh_token"]).error == (401, 2)
    assert refresh(app, new["refresh_token"]).status == 200


def test_a_used_refresh_token_dies_when_the_new_refresh_token_is_used(app: Caller, tokens: dict[str, Any]) -> None:
    new = refresh(app, tokens["refresh_token"]).json()
    assert refresh(app, new["refresh_token"]).status == 200
    assert refresh(app, tokens["refresh_token"]).error == (401, 2)


def test_a_used_refresh_token_dies_after_ten_minutes(app: Caller, clock: ManualClock, tokens: dict[str, Any]) -> None:
    refresh(app, tokens["refresh_token"])
    clock.sleep(600)
    assert refresh(app, tokens["refresh_token"]).status == 200
    clock.sleep(1)
    assert refresh(app, tokens["refresh_token"]).error == (401, 2)


def test_a_lost_answer_does_not_lock_the_client_out(
    sandbox: Sandbox, app: Caller, control: Callable[..., Any], tokens: dict[str, Any]
) -> None:
    control("POST", "faults", {"fault": "drop_answer", "path": "/oauth/token"})
    with pytest.raises(AnswerDropped):
        refresh(app, tokens["refresh_token"])
    again = refresh(app, tokens["refresh_token"]).json()
    assert works(sandbox, again["access_token"])
    assert works(sandbox, tokens["access_token"])  # the access token before lives until it expires


def test_what_nobody_received_dies_with_the_second_try(sandbox: Sandbox, app: Caller, tokens: dict[str, Any]) -> None:
    lost = refresh(app, tokens["refresh_token"]).json()
    refresh(app, tokens["refresh_token"])
    assert not works(sandbox, lost["access_token"])
    assert refresh(app, lost["refresh_token"]).error == (401, 2)


def test_strict_rotation_knows_no_grace(sandbox: Sandbox, app: Caller, tokens: dict[str, Any]) -> None:
    sandbox.tokens.strict = True
    assert refresh(app, tokens["refresh_token"]).status == 200
    assert refresh(app, tokens["refresh_token"]).error == (401, 2)


def test_a_refresh_may_ask_for_less_but_not_for_more(app: Caller, tokens: dict[str, Any]) -> None:
    assert refresh(app, tokens["refresh_token"], scope="ads:read,boards:read").error == (400, 1)
    assert refresh(app, tokens["refresh_token"], scope="ads:read").json()["scope"] == "ads:read"


def test_revoking(sandbox: Sandbox, app: Caller, control: Callable[..., Any], tokens: dict[str, Any]) -> None:
    other = control("POST", "tokens", {"pinterest_user": MAPLE})
    assert app("POST", "/oauth/token/revoke", {"token": tokens["access_token"]}, form=True).status == 200
    assert not works(sandbox, tokens["access_token"])
    new = refresh(app, tokens["refresh_token"]).json()
    for _ in range(2):
        assert app("POST", "/oauth/token/revoke", {"token": new["refresh_token"]}, form=True).status == 200
    assert not works(sandbox, new["access_token"])
    assert refresh(app, new["refresh_token"]).error == (401, 2)
    assert works(sandbox, other["access_token"])
