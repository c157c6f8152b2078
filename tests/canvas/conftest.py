"""A small shop whose workspace is connected to a partner, and the hands to build Canvases with."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from canvas import demo
from canvas.models import Canvas, Step
from canvas.steps import kinds
from integrations import registry
from integrations.models import AdAccount, Audience, AudienceSync, Connection, Pace
from integrations.pinterest.sandbox import beginning
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import serving
from pinsync.profiles.matching import MatchField, records
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Member, Role, User, Workspace

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERYTHING = MatchField.EMAIL | MatchField.IDFA | MatchField.GAID


def make_profile(workspace, external_id, email="", idfa="", gaid="", **attributes):
    email_record, idfa_record, gaid_record = records(email, idfa, gaid)
    return Profile(
        workspace=workspace,
        external_id=external_id,
        email=email,
        idfa=idfa,
        gaid=gaid,
        attributes=attributes,
        email_record=email_record,
        idfa_record=idfa_record,
        gaid_record=gaid_record,
        created_at=NOON,
        updated_at=NOON,
    )


def people(workspace, number, start=0):
    """Make `number` profiles with e-mail addresses and return them all."""
    Profile.objects.bulk_create(
        (
            Profile(
                workspace=workspace,
                external_id=f"u{n}",
                email=f"u{n}@example.com",
                email_record=hashlib.sha256(f"u{n}@example.com".encode()).hexdigest(),
                created_at=NOON,
                updated_at=NOON,
            )
            for n in range(start, start + number)
        ),
        batch_size=5000,
    )
    return Profile.objects.filter(workspace=workspace)


def add(canvas, kind, **settings):
    """Append a step; a sync step takes `audience`, `operation` and `fields`."""
    step = Step(canvas=canvas, kind=kind, name=str(kinds()[kind].default_name), position=canvas.steps.count() + 1)
    if kind != "audience_sync":
        step.settings = settings
    kinds()[kind].prepare(step)
    step.save()
    if kind == "audience_sync" and settings:
        audience = settings["audience"]
        AudienceSync.objects.filter(pk=step.sync_id).update(
            partner=audience.ad_account.connection.partner,
            ad_account=audience.ad_account,
            audience=audience,
            operation=settings.get("operation", "add"),
            match_fields=settings.get("fields", EVERYTHING),
        )
    return Step.objects.select_related("sync").get(pk=step.pk)


@pytest.fixture
def workspace(db):
    return Workspace.objects.create(name="Shop", slug="shop")


@pytest.fixture
def alice(workspace):
    """The Admin."""
    return _member(workspace, "alice@example.com", Role.ADMIN)


@pytest.fixture
def erin(workspace):
    """The Editor."""
    return _member(workspace, "erin@example.com", Role.EDITOR)


@pytest.fixture
def bob(workspace):
    """The Viewer."""
    return _member(workspace, "bob@example.com", Role.VIEWER)


@pytest.fixture
def charlie(db):
    """An outsider, with a workspace of his own."""
    return _member(Workspace.objects.create(name="Other", slug="other"), "charlie@example.com", Role.ADMIN)


def _member(workspace, email, role):
    user = User.objects.create_user(email)  # signs in by force_login
    Member.objects.create(workspace=workspace, user=user, role=role)
    return user


@pytest.fixture
def partner():
    return registry.partners()[0]


@pytest.fixture
def connection(workspace, partner):
    return connect(workspace, partner)


def connect(workspace, partner):
    """Make a connection that needs no partner behind it."""
    Pace.objects.create(partner=partner.slug, partner_user_id="777")
    return Connection.objects.create(
        workspace=workspace,
        partner=partner.slug,
        partner_user_id="777",
        partner_user_name="shop owner",
        access_token="token",
        refresh_token="refresh",
        access_expires_at=NOON + timedelta(days=3650),
        connected_at=NOON,
    )


@pytest.fixture
def ad_account(connection):
    return ad_account_of(connection)


def ad_account_of(connection):
    return AdAccount.objects.create(
        connection=connection, external_id="549", name="Shop Korea", state=AdAccount.State.CONNECTED, seen_at=NOON
    )


@pytest.fixture
def audience(ad_account):
    return audience_in(ad_account)


def audience_in(ad_account):
    return Audience.objects.create(
        ad_account=ad_account, external_id="2542", target_id="6431", name="Winter buyers", seen_at=NOON
    )


@pytest.fixture
def canvas(workspace):
    return Canvas.objects.create(workspace=workspace, name="Winter")


@pytest.fixture
def running(canvas, audience):
    return run(canvas, audience)


def run(canvas, audience):
    """Make a Canvas active, with one sync step."""
    add(canvas, "audience_sync", audience=audience)
    Canvas.objects.filter(pk=canvas.pk).update(state=Canvas.State.ACTIVE, launched_at=NOON)
    canvas.refresh_from_db()
    return canvas


@pytest.fixture(scope="package")
def listening() -> Iterator[tuple[Sandbox, str]]:
    sandbox = Sandbox()
    with serving(sandbox) as url:
        yield sandbox, url


@pytest.fixture
def sandbox(listening, settings, monkeypatch) -> Sandbox:
    """A sandbox on a real socket, in real time, as on its first day, but that no ad account has over a thousand lists.

    Whoever connects reads them all; tests of integrations do.
    """
    monkeypatch.setattr(beginning, "BIG_AD_ACCOUNT_AUDIENCES", 30)
    found, url = listening
    found.reset()
    found.log.requests.clear()
    settings.PINTEREST_API_URL = f"{url}/v5"
    settings.PINTEREST_OAUTH_URL = f"{url}/oauth/"
    settings.PINTEREST_SANDBOX_URL = url
    settings.PINTEREST_APP_ID, settings.PINTEREST_APP_SECRET = "1000001", "sandbox-secret"
    settings.PINTEREST_APP_FROM_ENV = False
    return found


@pytest.fixture
def shop(workspace, alice, sandbox):
    """A workspace that Alice connected through the real round trip."""
    found = demo.playground()
    demo.connect(workspace, alice, *found, timezone.now)
    return workspace
