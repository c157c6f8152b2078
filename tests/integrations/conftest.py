"""The sandbox in this process, mounted below the address that the settings name; no socket, and a clock that waits."""

from collections.abc import Iterator

import pytest
import responses
from django.conf import settings

from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock, mount
from integrations.pinterest.sandbox.world import World

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
def sandbox(wire) -> Sandbox:
    world = World(clock=ManualClock())
    world.begin(at=world.clock.now())
    found = Sandbox(world)
    mount(wire, found, settings.PINTEREST_SANDBOX_URL)
    return found


@pytest.fixture
def access_token(sandbox) -> str:
    """A token of maple_and_moss, who owns the first ad accounts."""
    user = sandbox.world.pinterest_user("maple_and_moss")
    return sandbox.tokens.grant(user.id, ["user_accounts:read", "ads:read", "ads:write"], sandbox.clock.now()).access
