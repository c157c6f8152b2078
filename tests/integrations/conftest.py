"""The sandbox in this process, mounted below the address that the settings name; no socket, and a clock that waits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import responses
from django.conf import settings

from integrations import connecting, consenting
from integrations.models import Connection
from integrations.pinterest.client import ask_to_start
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock, mount
from integrations.pinterest.sandbox.world import World
from pinsync.workspaces.models import Member, Role, User, Workspace
from tests.pinterest_openapi import validate_request

SANDBOX_URL = "http://127.0.0.1:8100"


@pytest.fixture(autouse=True)
def _sandbox_settings(settings) -> None:
    settings.PINTEREST_API_URL = f"{SANDBOX_URL}/v5"
    settings.PINTEREST_OAUTH_URL = f"{SANDBOX_URL}/oauth/"
    settings.PINTEREST_SANDBOX_URL = SANDBOX_URL
    settings.PINTEREST_APP_ID, settings.PINTEREST_APP_SECRET = "1000001", "sandbox-secret"
    settings.PINTEREST_APP_FROM_ENV = False
    settings.BASE_URL = "http://127.0.0.1:8000"


@pytest.fixture
def wire(_sandbox_settings) -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def sandbox(wire) -> Iterator[Sandbox]:
    """A sandbox; afterwards everything that was asked of it is held against Pinterest's own description."""
    world = World(clock=ManualClock())
    world.begin(at=world.clock.now())
    found = Sandbox(world)
    mount(wire, found, settings.PINTEREST_SANDBOX_URL, before=ask_to_start)
    yield found
    for call in wire.calls:
        if call.request.url.startswith(settings.PINTEREST_API_URL):
            validate_request(call.request.method, call.request.url, call.request.headers, call.request.body)


@pytest.fixture
def access_token(sandbox) -> str:
    """A token of maple_and_moss, who owns the first ad accounts."""
    user = sandbox.world.pinterest_user("maple_and_moss")
    return sandbox.tokens.grant(user.id, ["user_accounts:read", "ads:read", "ads:write"], sandbox.clock.now()).access


@pytest.fixture
def now(sandbox) -> datetime:
    """The moment at which the sandbox's clock stands."""
    return datetime.fromtimestamp(sandbox.clock.now(), UTC)


@pytest.fixture
def shop(db) -> Workspace:
    return Workspace.objects.create(name="Shop", slug="shop")


def _person(email: str, workspace: Workspace | None = None, role: str = "") -> User:
    person = User.objects.create_user(email)  # signs in by force_login
    if workspace:
        Member.objects.create(workspace=workspace, user=person, role=role)
    return person


@pytest.fixture
def alice(shop) -> User:
    return _person("alice@example.com", shop, Role.ADMIN)


@pytest.fixture
def bob(shop) -> User:
    return _person("bob@example.com", shop, Role.VIEWER)


@pytest.fixture
def charlie(db) -> User:
    """An outsider."""
    return _person("charlie@example.com")


@pytest.fixture
def dora(shop) -> User:
    """Another Admin."""
    return _person("dora@example.com", shop, Role.ADMIN)


def allow(sandbox: Sandbox, consent_url: str, **form: str | list[str]) -> dict[str, str]:
    """Answer the consent page as a person would, and return what the browser brings back."""
    scopes = ["user_accounts:read", "ads:read", "ads:write"]
    fields = {"decision": "allow", "pinterest_user": "maple_and_moss", "scope": scopes} | form
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answered, _ = sandbox.answer("POST", consent_url, headers, urlencode(fields, doseq=True))
    assert status == 302
    return dict(parse_qsl(urlsplit(answered["Location"]).query))


def connect(sandbox, workspace, person, now, *names: str, pinterest_user: str = "maple_and_moss") -> Connection:
    """Connect a workspace through the real round trip, with the ad accounts of these names."""
    url = consenting.begin(workspace, person, "pinterest", "connect", now)
    back = allow(sandbox, url, pinterest_user=pinterest_user)
    authorization = consenting.come_back("pinterest", person, state=back["state"], code=back["code"], error="", now=now)
    chosen = [info.id for info in consenting.infos(authorization) if info.name in (names or ("Maple & Moss US",))]
    return connecting.complete(authorization, chosen, now)


@pytest.fixture
def connection(sandbox, shop, alice, now) -> Connection:
    """Shop, connected by Alice as maple_and_moss, with one ad account."""
    return connect(sandbox, shop, alice, now)


@pytest.fixture
def ad_account(connection):
    return connection.ad_accounts.select_related("connection").get(state="connected")
