"""The one door out to Pinterest: every answer becomes a value or a PartnerError, and nothing is tried twice.

answers.py says which error an answer is.

Nothing of a body, a token or a record reaches a log or an error message: only method, subject, status and code.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from integrations import errors
from integrations.contract import Errand, door
from integrations.pinterest import limits
from integrations.pinterest.answers import About, Came, meaning

SLUG = "pinterest"
LONGEST_WAIT = timedelta(days=1)  # a Retry-After beyond it is taken for nonsense and cut
EPOCH_FROM = 1_000_000_000  # an X-RateLimit-Reset this large is a moment, a smaller one a number of seconds


class Bearer(AuthBase):
    """The access token; as an auth object, so that no .netrc of the machine replaces it."""

    def __init__(self, access_token: str) -> None:
        self.access_token = access_token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.access_token}"
        return request


def app_auth() -> HTTPBasicAuth:
    """Return our app's id and secret, as the token paths want them."""
    return HTTPBasicAuth(settings.PINTEREST_APP_ID, settings.PINTEREST_APP_SECRET)


_own = threading.local()


def ask_to_start() -> Callable[[], None] | None:
    """Wait until the request that this thread is making may go out; return what to call when it has.

    Once for each request; the connection asks.
    """
    starts: Callable[[], Callable[[], None]] | None = getattr(_own, "starts", None)
    _own.starts = None
    return None if starts is None else starts()


class _Starting(HTTPConnection):
    """A connection that asks whether a request may start when it stands and only the bytes are left to go."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        if getattr(_own, "starts", None) and self.is_closed:
            self.connect()
        gone = ask_to_start()
        super().request(*args, **kwargs)
        if gone is not None:
            gone()


class _StartingTLS(_Starting, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Starting


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _StartingTLS


class Adapter(HTTPAdapter):
    """Connects as requests does, with connections that ask before they start."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


_POOLS = {"http": _Pool, "https": _TLSPool}


def session() -> requests.Session:
    """Return this thread's session, which keeps its connection alive; a forked process never shares its parent's."""
    if getattr(_own, "pid", None) != os.getpid():
        _own.pid = os.getpid()
        _own.session = requests.Session()
        # One session serves many people: a cookie of one must not travel with the token of another.
        _own.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # What the environment says of proxies and certificates, once: a session asks it anew for every request.
        _own.session.proxies = get_environ_proxies(settings.PINTEREST_API_URL)
        _own.session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        _own.session.trust_env = False
        for scheme in ("http://", "https://"):
            _own.session.mount(scheme, Adapter(pool_connections=2, pool_maxsize=2, max_retries=0))
    found: requests.Session = _own.session
    return found


def call(
    method: str,
    path: str,
    about: About,
    auth: AuthBase,
    *,
    params: Mapping[str, str] | None = None,
    json: Mapping[str, Any] | None = None,
    form: Mapping[str, str] | None = None,
    has_answer: bool = True,
) -> tuple[int, dict[str, Any]]:
    """Send one request and return its status and the JSON object of the answer ({} where none is due).

    Waits up to 2 s at the door, 5 s for a connection and 30 s for an answer. Raises PartnerError.
    """
    what = f"{method} of {about.value}"
    errand = _errand(method, about)
    if errand == "write":
        _own.starts = lambda: door.leave(SLUG, errand)
    else:
        door.leave(SLUG, errand)
    try:
        response = session().request(
            method,
            f"{settings.PINTEREST_API_URL}{path}",
            params=params,
            json=json,
            data=form,
            auth=auth,
            headers={"Accept": "application/json"},
            timeout=(limits.CONNECT_TIMEOUT_SECONDS, limits.READ_TIMEOUT_SECONDS),
            allow_redirects=False,
        )
    except requests.RequestException as problem:
        # `from None`: the exceptions of the library below carry the request, and with it the token
        raise meaning(Came.NO_ANSWER, about)(f"{what} got no answer: {type(problem).__name__}") from None
    finally:
        _own.starts = None
    body = _object(response)
    if response.status_code not in (200, 201):
        raise _refusal(what, about, response, body)
    if not has_answer:
        return response.status_code, {}
    if body is None or _is_error(body):
        came = Came.SOMETHING_ELSE if body is None else Came.ERROR_INSIDE
        kind = meaning(came, about, status=response.status_code)
        raise kind(f"{what} got an answer that makes no sense", http_status=response.status_code)
    return response.status_code, body


def pages(path: str, about: About, auth: AuthBase, params: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the items of a list, reading page after page. Raises PartnerError, also in the middle."""
    bookmark: str | None = None
    seen: set[str] = set()
    while True:
        asked = {**(params or {}), "page_size": str(limits.PAGE_SIZE)} | ({"bookmark": bookmark} if bookmark else {})
        _, body = call("GET", path, about, auth, params=asked)
        items, bookmark = body.get("items"), body.get("bookmark")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise errors.Unavailable(f"A list of {about.value} has no items")
        yield from items
        if not bookmark:
            return
        if not isinstance(bookmark, str) or bookmark in seen:
            raise errors.Unavailable(f"A list of {about.value} does not end")
        seen.add(bookmark)


def _errand(method: str, about: About) -> Errand:
    if about in (About.CONSENT, About.REFRESH, About.REVOCATION):
        return "token"
    return "read" if method == "GET" else "write"


def _object(response: requests.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:  # no JSON, or not in the encoding it claims
        return None
    return body if isinstance(body, dict) else None


def _is_error(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("code"), int) and isinstance(body.get("message"), str)


def _refusal(what: str, about: About, response: requests.Response, body: dict[str, Any] | None) -> errors.PartnerError:
    status = response.status_code
    if body is not None and _is_error(body):
        code = body["code"]
        kind = meaning(Came.REFUSAL, about, status=status, body_code=code, message=body["message"])
        said = f"{what} was answered {status}, code {code}"
    else:
        kind = meaning(Came.SOMETHING_ELSE, about, status=status)
        said = f"{what} was answered {status} by something else"
    return kind(said, http_status=status, retry_after=retry_after(response.headers, datetime.now(UTC)))


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long the answer asks us to wait: Retry-After (seconds or a date), else X-RateLimit-Reset."""
    wait = _wait(headers.get("Retry-After", ""), now)
    if wait is None and headers.get("X-RateLimit-Remaining", "0").strip() == "0":
        wait = _wait(headers.get("X-RateLimit-Reset", ""), now)
    return None if wait is None else min(max(wait, timedelta()), LONGEST_WAIT)


def _wait(value: str, now: datetime) -> timedelta | None:
    value = value.strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    if not 0 <= seconds < float("inf"):
        return None
    if seconds >= EPOCH_FROM:
        seconds -= now.timestamp()
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
