"""Every answer Pinterest can give, and some it should not, sorted into a value or an error."""

import logging
import os
from datetime import UTC, datetime, timedelta

import pytest
import requests

from integrations import errors
from integrations.pinterest.answers import About
from integrations.pinterest.client import Bearer, call, pages, retry_after, session

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REFUSAL = {"code": 7, "message": "No."}
SECRET = "pina_secret"
RECORD = "a" * 64


def ask(about: About = About.PERSON, method: str = "GET"):
    return call(method, "/thing", about, Bearer(SECRET), json={"records": RECORD} if method == "PATCH" else None)


@pytest.fixture
def answer(wire, settings):
    """Give the next answer of the only path there is."""

    def give(status: int, body: object = REFUSAL, **headers: str) -> None:
        kwargs = {"body": body} if isinstance(body, (str, bytes, Exception)) else {"json": body}
        for method in ("GET", "POST", "PATCH"):
            wire.add(method, f"{settings.PINTEREST_API_URL}/thing", status=status, headers=headers, **kwargs)

    return give


@pytest.mark.parametrize(
    ("status", "about", "expected"),
    [
        (400, About.PERSON, errors.InvalidSettings),
        (400, About.AUDIENCE, errors.InvalidSettings),
        (400, About.RECORDS, errors.ContentRefused),
        (400, About.CONSENT, errors.ConsentFailed),
        (400, About.REFRESH, errors.NeedsReconnect),
        (401, About.PERSON, errors.NeedsReconnect),
        (401, About.RECORDS, errors.NeedsReconnect),
        (401, About.REFRESH, errors.NeedsReconnect),
        (401, About.CONSENT, errors.ConsentFailed),
        (403, About.RECORDS, errors.AccessLost),
        (403, About.AD_ACCOUNT, errors.AccessLost),
        (403, About.REVOCATION, errors.AccessLost),
        (403, About.REFRESH, errors.NeedsReconnect),
        (404, About.AD_ACCOUNT, errors.AccessLost),
        (404, About.AUDIENCE, errors.AudienceGone),
        (404, About.RECORDS, errors.AudienceGone),
        (404, About.PERSON, errors.InvalidSettings),
        (405, About.RECORDS, errors.InvalidSettings),
        (408, About.RECORDS, errors.Unavailable),
        (409, About.RECORDS, errors.InvalidSettings),
        (413, About.RECORDS, errors.ContentRefused),
        (415, About.RECORDS, errors.InvalidSettings),
        (422, About.RECORDS, errors.ContentRefused),
        (422, About.AD_ACCOUNT, errors.InvalidSettings),
        (429, About.RECORDS, errors.RateLimited),
        (429, About.REFRESH, errors.RateLimited),
        (500, About.RECORDS, errors.Unavailable),
        (502, About.REFRESH, errors.Unavailable),
        (503, About.AUDIENCE, errors.Unavailable),
        (302, About.AUDIENCE, errors.Unavailable),
    ],
)
def test_each_refusal_says_what_to_do_next(answer, status, about, expected):
    answer(status)
    with pytest.raises(errors.PartnerError) as caught:
        ask(about)
    assert type(caught.value) is expected
    assert caught.value.http_status == status


def test_a_refusal_over_terms_is_told_apart(answer):
    answer(403, {"code": 9, "message": "The Terms of Service were not accepted."})
    with pytest.raises(errors.TermsNotAccepted):
        ask(About.RECORDS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 200])
@pytest.mark.parametrize("body", ["<html>Not Found</html>", "", '{"items": [{"id', b"\xff\xfe", "[]", '"gone"'])
def test_what_is_not_pinterests_word_is_never_read_as_gone_or_dead(answer, status, body):
    answer(status, body)
    with pytest.raises(errors.PartnerError) as caught:
        ask(About.RECORDS)
    assert type(caught.value) is errors.Unavailable


def test_a_proxy_that_finds_the_request_too_large_is_believed(answer):
    answer(413, "<html>Request Entity Too Large</html>")
    with pytest.raises(errors.ContentRefused):
        ask(About.RECORDS)


def test_an_error_inside_a_200_is_no_success(answer):
    answer(200, REFUSAL)
    with pytest.raises(errors.Unavailable):
        ask()


def test_a_redirect_is_not_followed(wire, settings):
    wire.add("GET", f"{settings.PINTEREST_API_URL}/thing", status=302, headers={"Location": "http://127.0.0.1:1/"})
    with pytest.raises(errors.Unavailable):
        ask()
    assert len(wire.calls) == 1


@pytest.mark.parametrize("problem", [requests.ConnectTimeout(), requests.ReadTimeout(), requests.ConnectionError()])
def test_no_answer_is_unavailable_and_is_asked_for_once(answer, wire, problem):
    answer(200, problem)
    with pytest.raises(errors.Unavailable):
        ask()
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "3"}, timedelta(seconds=3)),
        ({"Retry-After": "0.5"}, timedelta(seconds=0.5)),
        ({"Retry-After": "Tue, 24 Nov 2026 12:00:30 GMT"}, timedelta(seconds=30)),
        ({"Retry-After": "Tue, 24 Nov 2026 11:00:00 GMT"}, timedelta()),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "-4"}, None),
        ({"Retry-After": "1e300"}, timedelta(days=1)),
        ({"Retry-After": "3", "X-RateLimit-Reset": "60"}, timedelta(seconds=3)),
        ({"X-RateLimit-Reset": "60"}, timedelta(seconds=60)),
        ({"X-RateLimit-Reset": str(NOW.timestamp() + 20)}, timedelta(seconds=20)),
        ({"X-RateLimit-Reset": "60", "X-RateLimit-Remaining": "0"}, timedelta(seconds=60)),
        ({"X-RateLimit-Reset": "60", "X-RateLimit-Remaining": "5"}, None),
    ],
)
def test_how_long_to_wait(headers, expected):
    assert retry_after(headers, NOW) == expected


def test_a_429_carries_how_long_to_wait(answer):
    answer(429, REFUSAL, **{"Retry-After": "7"})
    with pytest.raises(errors.RateLimited) as caught:
        ask()
    assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_token_and_no_record_reaches_a_log_or_an_error(answer, caplog, status):
    answer(status, {"code": 1, "message": f"Bad record {RECORD} for {SECRET}"})
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.PartnerError) as caught:
        ask(About.RECORDS, "PATCH")
    told = caplog.text + repr(caught.value) + str(caught.value)
    assert RECORD not in told
    assert SECRET not in told


def test_a_list_is_read_to_its_end(wire, settings):
    url = f"{settings.PINTEREST_API_URL}/thing"
    wire.add("GET", url, json={"items": [{"id": "1"}], "bookmark": "b2"})
    wire.add("GET", url, json={"items": [{"id": "2"}], "bookmark": None})
    assert [item["id"] for item in pages("/thing", About.PERSON, Bearer(SECRET))] == ["1", "2"]
    assert wire.calls[1].request.params == {"page_size": "250", "bookmark": "b2"}


@pytest.mark.parametrize(
    "second", [{"items": [], "bookmark": "b"}, {"bookmark": None}, {"items": ["x"]}, {"items": {}}]
)
def test_a_list_that_makes_no_sense_is_unavailable(wire, settings, second):
    url = f"{settings.PINTEREST_API_URL}/thing"
    wire.add("GET", url, json={"items": [], "bookmark": "b"})
    wire.add("GET", url, json=second)
    with pytest.raises(errors.Unavailable):
        list(pages("/thing", About.PERSON, Bearer(SECRET)))


def test_a_netrc_file_never_replaces_the_token(answer, wire, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(netrc))
    answer(200, {"id": "1"})
    ask()
    assert wire.calls[0].request.headers["Authorization"] == f"Bearer {SECRET}"


def test_no_cookie_travels_from_one_person_to_the_next(answer, wire):
    answer(200, {"id": "1"}, **{"Set-Cookie": "_session=of-one-person; Path=/"})
    ask()
    ask()
    assert "Cookie" not in wire.calls[1].request.headers


def test_a_forked_process_gets_a_session_of_its_own():
    ours = id(session())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"same" if id(session()) == ours else b"own")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"own"
    assert id(session()) == ours
