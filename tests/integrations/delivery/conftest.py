"""A workspace connected to the sandbox, which listens on a real socket and keeps real time."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.delivery.pacing import pace_of
from integrations.models import AdAccount, Connection
from integrations.pinterest.sandbox.people import AD_ACCOUNTS, MAPLE
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import serving
from pinsync.workspaces.models import Workspace
from tests.helpers import audience_named


@pytest.fixture(scope="package")
def listening() -> Iterator[tuple[Sandbox, str]]:
    sandbox = Sandbox()
    with serving(sandbox) as url:
        yield sandbox, url


@pytest.fixture
def sandbox(listening, settings) -> Sandbox:
    found, url = listening
    found.reset()
    settings.PINTEREST_API_URL = f"{url}/v5"
    settings.PINTEREST_OAUTH_URL = f"{url}/oauth/"
    settings.PINTEREST_SANDBOX_URL = url
    return found


@pytest.fixture
def workspace(db) -> Workspace:
    return Workspace.objects.create(name="Shop", slug="shop")


@pytest.fixture
def connection(workspace, sandbox) -> Connection:
    return connect(workspace, sandbox)


def connect(workspace, sandbox, person=MAPLE) -> Connection:
    """Connect a workspace as maple_and_moss, or as another person."""
    now = timezone.now()
    tokens = sandbox.tokens.grant(person.id, ["user_accounts:read", "ads:read", "ads:write"], sandbox.clock.now())
    made = Connection.objects.create(
        workspace=workspace,
        partner="pinterest",
        partner_user_id=person.id,
        access_token=tokens.access,
        refresh_token=tokens.refresh,
        access_expires_at=now + timedelta(days=30),
        refresh_expires_at=now + timedelta(days=60),
        connected_at=now,
    )
    pace_of(made)
    return made


@pytest.fixture
def ad_account(connection) -> AdAccount:
    return AdAccount.objects.create(
        connection=connection,
        external_id=AD_ACCOUNTS[0].id,
        name=AD_ACCOUNTS[0].name,
        state=AdAccount.State.CONNECTED,
        seen_at=timezone.now(),
    )


@pytest.fixture
def audience(ad_account, sandbox):
    return audience_named("Winter buyers", ad_account, sandbox.world)
