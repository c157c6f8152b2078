"""Pages for people: they show what is true, trust no name, and their buttons work."""

from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import urlencode

import pytest

from integrations.pinterest.sandbox.catalogue import KINDS, LABELS
from integrations.pinterest.sandbox.sandbox import Sandbox

from .conftest import CATALOGUE, US, Answer, Caller, digests


def page(sandbox: Sandbox, path: str) -> str:
    status, headers, body = sandbox.answer("GET", path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<script" not in body
    return body.decode()


def press(sandbox: Sandbox, **fields: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Answer(*sandbox.answer("POST", "/control", headers, urlencode(fields)))


def test_the_ads_manager_shows_the_size_shown_and_the_true_one(sandbox: Sandbox, maple: Caller) -> None:
    list_id = maple.create_list(records=digests(50))
    audience_id = maple.create_audience(list_id, name="<script>alert(1)</script>")
    shown = page(sandbox, f"/?ad_account_id={US}")
    assert "10 audiences" in shown
    assert "&lt;script&gt;" in shown
    row = shown.split(f"/audiences/{audience_id}")[1].split("</tr>")[0]
    assert "—" in row
    assert ">50<" in row
    assert "INITIALIZING" in row


def test_search_and_pages(sandbox: Sandbox) -> None:
    assert "page 1 of 24" in page(sandbox, f"/?ad_account_id={CATALOGUE}")
    assert "page 24 of 24" in page(sandbox, f"/?ad_account_id={CATALOGUE}&page=99")
    assert "1 audience<" in page(sandbox, f"/?ad_account_id={US}&search=2542620600007").replace("\n", "<")
    assert "No audience has this name or id" in page(sandbox, "/?search=%22%3E%3Cscript%3E")


def test_an_audiences_history(sandbox: Sandbox, maple: Caller) -> None:
    list_id = maple.create_list()
    audience_id = maple.create_audience(list_id)
    maple.change(list_id, "ADD", digests(1_234))
    maple.change(list_id, "REMOVE", "ann", wrong=True)
    shown = page(sandbox, f"/audiences/{audience_id}")
    for text in ("1,235", "1,234", ">Add<", ">Remove<", ">Create<", "Customer list", ">400<", list_id):
        assert text in shown
    assert sandbox.answer("GET", "/audiences/7")[0] == 404


def test_every_fault_has_a_form(sandbox: Sandbox) -> None:
    shown = page(sandbox, "/control")
    for kind in KINDS:
        assert f'name="button" value="{kind.name}"' in shown
        assert kind.sentence in shown


def test_buttons(sandbox: Sandbox, control: Callable[..., Any]) -> None:
    assert press(sandbox, button="outage", status="500", seconds="", html="false", path="").status == 303
    assert "Outage" in page(sandbox, "/control").split("Break something")[0]
    [fault] = control("GET", "faults")["faults"]
    assert press(sandbox, button="clear", id=str(fault["id"])).status == 303
    assert control("GET", "faults")["faults"] == []
    assert press(sandbox, button="clock", hours="24").status == 303
    assert "24 hours ahead" in page(sandbox, "/control")
    assert press(sandbox, button="reset").status == 303
    assert "hours ahead" not in page(sandbox, "/control")


@pytest.mark.parametrize("fields", [{"button": "latency", "ms": "slow"}, {"button": "earthquake"}, {}])
def test_buttons_that_make_no_sense_say_so(sandbox: Sandbox, fields: dict[str, str]) -> None:
    refused = press(sandbox, **fields)
    assert refused.status == 400
    assert b'role="alert"' in refused.body


def test_the_request_log(sandbox: Sandbox, maple: Caller) -> None:
    list_id = maple.create_list()
    for _ in range(8):
        maple.change(list_id, "ADD", digests(7))
    maple("GET", "/user_account")
    shown = page(sandbox, "/requests")
    assert "maple_and_moss: 7 passed, 2 refused" in shown
    assert "7 a second" in shown
    assert shown.count("<tr>") == 1 + 10


def test_the_stylesheet(sandbox: Sandbox) -> None:
    status, headers, body = sandbox.answer("GET", "/sandbox.css")
    assert (status, headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert b"prefers-color-scheme: dark" in body


@pytest.mark.parametrize("asked", ["0", "-1", "ten", "9" * 5_000])
def test_pages_that_make_no_sense_are_the_nearest(sandbox: Sandbox, asked: str) -> None:
    assert "page 1 of 24" in page(sandbox, f"/?ad_account_id={CATALOGUE}&page={asked}")


def test_unknown_pages(sandbox: Sandbox) -> None:
    assert sandbox.answer("GET", "/nowhere")[0] == 404
    assert sandbox.answer("POST", "/")[0] == 405
    assert sandbox.answer("GET", "/?ad_account_id=1")[0] == 404


def test_what_can_be_broken_is_said_in_words(sandbox: Sandbox) -> None:
    """The raw name of a parameter is for programs."""
    assert {one.name for kind in KINDS for one in kind.parameters} == set(LABELS)
    shown = page(sandbox, "/control")
    for name, label in LABELS.items():
        assert f"<label>{label}" in shown
        assert f"<label>{name}" not in shown
    assert press(sandbox, button="outage", status="500", seconds="60", html="true").status == 303
    assert press(sandbox, button="terms", ad_account_id=US).status == 303
    active = page(sandbox, "/control").split("Break something")[0]
    assert "HTTP status 500 · Answer with a web page · 60 s left" in active
    assert f"Ad account {escape(sandbox.world.ad_accounts[US].name)}" in active
    refused = press(sandbox, button="latency", ms="soon").body.decode()
    assert "Slow answers. Milliseconds: Milliseconds." not in refused
    assert "Slow answers. Milliseconds: a number is needed." in refused
