"""Alice is Admin, Erin is Editor, Bob is Viewer of Acme; Charlie has a workspace of his own and must see nothing."""

from datetime import UTC, datetime

import pytest
from django.core.cache import cache
from django.test import Client

from pinsync.workspaces.accounts import create_person
from pinsync.workspaces.models import Member, Role, Workspace

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"


def person(email, workspace=None, role=Role.VIEWER):
    user = create_person(email, PASSWORD)
    if workspace:
        Member.objects.create(workspace=workspace, user=user, role=role)
    return user


def browser_of(user):
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture(autouse=True)
def _fresh_limits():
    """Let no test use up the sign-in limits of the next."""
    cache.clear()


@pytest.fixture
def acme(db):
    return Workspace.objects.create(name="Acme", slug="acme")


@pytest.fixture
def alice(acme):
    return person("alice@example.com", acme, Role.ADMIN)


@pytest.fixture
def erin(acme):
    return person("erin@example.com", acme, Role.EDITOR)


@pytest.fixture
def bob(acme):
    return person("bob@example.com", acme, Role.VIEWER)


@pytest.fixture
def charlie(db):
    return person("charlie@example.com", Workspace.objects.create(name="Other", slug="other"), Role.ADMIN)
