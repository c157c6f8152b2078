"""A sandbox with a clock that stands still, and callers whose every exchange Pinterest's description judges."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from integrations.pinterest.sandbox import facts
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock
from tests import pinterest_openapi

BASE = "https://pinterest.test/v5"
MAPLE, NORTHWIND = "maple_and_moss", "northwind_media"
US, CANADA, CATALOGUE, FERN, KESTREL, SUNDAY, LAB, INTERIORS = (str(549_755_813_101 + number) for number in range(8))
JUDGED = pinterest_openapi.PATH.is_file()  # test_contract.py is skipped, loudly, where it is not


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, int]:
        """The HTTP status and Pinterest's own code."""
        return self.status, self.json()["code"]


class Caller:
    """Somebody with a token, or an app with its secret."""

    def __init__(self, sandbox: Sandbox, authorization: str) -> None:
        self.sandbox = sandbox
        self.authorization = authorization

    def __call__(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | str | None = None,
        *,
        form: bool = False,
        wrong: bool = False,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        """Send a request; one that is `wrong` on purpose only has its answer judged."""
        url = f"{BASE}{path}" + (f"?{urlencode(query)}" if query else "")
        sent = {"Authorization": self.authorization}
        content: str | None = body if isinstance(body, str) else None
        if isinstance(body, dict):
            sent["Content-Type"] = pinterest_openapi.FORM if form else pinterest_openapi.JSON
            content = urlencode(body) if form else json.dumps(body)
        sent |= headers or {}
        answer = Answer(*self.sandbox.answer(method, url, sent, content or ""))
        if JUDGED:
            exchange = (method, url, sent, content, answer.status, answer.headers, answer.body)
            (pinterest_openapi.validate_answer if wrong else pinterest_openapi.validate_exchange)(*exchange)
        return answer

    def create_list(self, ad_account_id: str = US, records: str = "0" * 64, name: str = "Winter buyers") -> str:
        answer = self("POST", f"/ad_accounts/{ad_account_id}/customer_lists", {"name": name, "records": records})
        assert answer.status == 200, answer.body
        return str(answer.json()["id"])

    def create_audience(self, list_id: str, ad_account_id: str = US, name: str = "Winter buyers") -> str:
        rule = {"customer_list_id": list_id}
        body = {"name": name, "audience_type": "CUSTOMER_LIST", "rule": rule}
        answer = self("POST", f"/ad_accounts/{ad_account_id}/audiences", body)
        assert answer.status == 200, answer.body
        return str(answer.json()["id"])

    def change(self, list_id: str, operation: str, records: str, *, wrong: bool = False) -> Answer:
        path = f"/ad_accounts/{US}/customer_lists/{list_id}"
        return self("PATCH", path, {"operation_type": operation, "records": records}, wrong=wrong)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(clock=clock)


@pytest.fixture
def control(sandbox: Sandbox) -> Callable[..., Any]:
    """The control side: JSON in, JSON out; text where it is text."""

    def call(method: str, path: str, body: dict[str, Any] | None = None, *, status: int = 200) -> Any:
        sent = {"Content-Type": "application/json"} if body is not None else {}
        content = json.dumps(body) if body is not None else ""
        answered, headers, answer = sandbox.answer(method, f"https://pinterest.test/_control/{path}", sent, content)
        assert answered == status, answer
        return json.loads(answer) if headers["Content-Type"] == "application/json" else answer.decode()

    return call


@pytest.fixture
def caller(sandbox: Sandbox, control: Callable[..., Any]) -> Callable[..., Caller]:
    def login(user: str = MAPLE, scopes: tuple[str, ...] = facts.USED_SCOPES) -> Caller:
        tokens = control("POST", "tokens", {"pinterest_user": user, "scopes": list(scopes)})
        return Caller(sandbox, f"Bearer {tokens['access_token']}")

    return login


@pytest.fixture
def maple(caller: Callable[..., Caller]) -> Caller:
    return caller(MAPLE)


@pytest.fixture
def app(sandbox: Sandbox) -> Caller:
    secret = base64.b64encode(f"{facts.APP_ID}:{facts.APP_SECRET}".encode()).decode()
    return Caller(sandbox, f"Basic {secret}")


def digests(count: int, start: int = 0) -> str:
    """Some records that are not in any list."""
    return ",".join(f"{number:064x}" for number in range(start + 1, start + count + 1))
