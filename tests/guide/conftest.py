"""A brand called Shop: Alice is Admin, Bob is Viewer, Charlie is an outsider. Pinterest is the bundled sandbox.

The guide reads like the product page. What it calls is what the product's own pages and programs call.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.utils import timezone

from canvas import analytics, building, editing, journeys, launching, schedules
from canvas.models import Canvas, Step
from integrations import connecting, consenting
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import serving
from pinsync.profiles import matching
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Member, Role, User, Workspace
from tests import helpers

SCOPES = ["user_accounts:read", "ads:read", "ads:write"]


@dataclass
class Pinterest:
    """The sandbox, as a person would look at it in Ads Manager."""

    sandbox: Sandbox

    def audiences(self) -> dict[str, int]:
        """Return who is in each audience that Pinsync made, by its name, less the one placeholder."""
        made = [each for each in self.sandbox.world.audiences.values() if each.id not in self.at_start]
        return {audience.name: self.sandbox.world.size(audience) - 1 for audience in made}

    def remember_start(self) -> None:
        self.at_start = set(self.sandbox.world.audiences)

    def requests(self, operation: str = "") -> list:
        """Return the requests that changed a list."""
        return [each for each in self.sandbox.log.requests if each.operation and operation in ("", each.operation)]

    def breaks(self, fault: str, **parameters: object) -> None:
        helpers.break_it(self.sandbox, fault, **parameters)

    def mends(self) -> None:
        helpers.mend(self.sandbox)

    def consent(self, url: str, *, person: str = "maple_and_moss", **form: object) -> dict[str, str]:
        """Answer the consent page; return what the browser brings back."""
        fields = {"decision": "allow", "pinterest_user": person, "scope": SCOPES} | form
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, answered, _ = self.sandbox.answer("POST", url, headers, urlencode(fields, doseq=True))
        assert status == 302
        return dict(parse_qsl(urlsplit(answered["Location"]).query))


@pytest.fixture(scope="package")
def listening() -> Iterator[tuple[Sandbox, str]]:
    sandbox = Sandbox()
    with serving(sandbox) as url:
        yield sandbox, url


@pytest.fixture
def pinterest(listening, settings) -> Pinterest:
    sandbox, url = listening
    sandbox.reset()
    settings.PINTEREST_API_URL = f"{url}/v5"
    settings.PINTEREST_OAUTH_URL = f"{url}/oauth/"
    settings.PINTEREST_SANDBOX_URL = url
    settings.PINTEREST_APP_FROM_ENV = False
    found = Pinterest(sandbox)
    found.remember_start()
    return found


@pytest.fixture
def shop(db) -> Workspace:
    return Workspace.objects.create(name="Shop", slug="shop")


@pytest.fixture
def alice(shop) -> User:
    return person("alice@example.com", shop, Role.ADMIN)


@pytest.fixture
def bob(shop) -> User:
    return person("bob@example.com", shop, Role.VIEWER)


@pytest.fixture
def charlie(db) -> User:
    return User.objects.create_user("charlie@example.com")


def person(email: str, workspace: Workspace, role: str) -> User:
    user = User.objects.create_user(email)
    Member.objects.create(workspace=workspace, user=user, role=role)
    return user


@pytest.fixture
def connected(pinterest, shop, alice):
    """Shop, connected by Alice with one ad account, through Pinterest's consent page."""
    return connect(pinterest, shop, alice)


def connect(pinterest, workspace, user, *, ad_accounts=("Maple & Moss US",), purpose="connect", **form):
    """Walk to Pinterest's consent page and back, and confirm these ad accounts."""
    now = timezone.now()
    back = pinterest.consent(consenting.begin(workspace, user, "pinterest", purpose, now), **form)
    authorization = consenting.come_back("pinterest", user, state=back["state"], code=back["code"], error="", now=now)
    if not connecting.needs_choice(authorization):
        return connecting.take_over(authorization, now)
    chosen = [info.id for info in consenting.infos(authorization) if info.name in ad_accounts]
    return connecting.complete(authorization, chosen, now)


def profile(workspace: Workspace, name: str, **values: str) -> Profile:
    """Make one user of the brand."""
    found = matching.records(values.get("email", ""), values.get("idfa", ""), values.get("gaid", ""))
    now = timezone.now()
    return Profile.objects.create(
        workspace=workspace,
        external_id=name,
        **values,
        email_record=found[0],
        idfa_record=found[1],
        gaid_record=found[2],
        created_at=now,
        updated_at=now,
    )


def canvas_of(workspace: Workspace, user: User, *steps: tuple, **fields: object) -> Canvas:
    """Make a draft. A step is ("add" or "remove", audience name, fields), or ("delay", amount, unit)."""
    now = timezone.now()
    canvas = editing.create(Canvas(workspace=workspace, name="Winter win-back", **fields), user, now)
    for kind, *rest in steps:
        if kind == "delay":
            step = editing.add_step(canvas, "delay")
            Step.objects.filter(pk=step.pk).update(settings={"amount": rest[0], "unit": rest[1]})
        else:
            audience = building.audience_called(building.ad_account_in_use(workspace), rest[0], now)
            building.add_sync(canvas, audience, kind, MatchField.parse(rest[1]))
    return canvas


def launch(canvas: Canvas, user: User) -> Canvas:
    """Press Launch Canvas, and let those in who are due."""
    now = timezone.now()
    launching.launch(canvas, user, now)
    schedules.enter_due(now)
    canvas.refresh_from_db()
    return canvas


def wait(**delta: int) -> None:
    """Let time pass: delays end, retries are made, whoever is too old is given up."""
    now = helpers.later(**delta)
    journeys.advance_due(now)
    helpers.deliver(now)


def metrics(canvas: Canvas, step: int = 0) -> dict[str, int]:
    """Return the seven metrics of a step."""
    found = analytics.figures.metrics(canvas.steps.all()[step])
    assert found.entered == found.synced + found.not_synced + found.pending + found.errored
    return {name: getattr(found, name) for name in analytics.figures.METRICS}
