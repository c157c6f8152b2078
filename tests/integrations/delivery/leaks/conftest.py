"""Beside the connected workspace of delivery: who looks, and what must not be found."""

import pytest
from django.conf import settings as django_settings
from django.test import Client

from pinsync.workspaces.models import Member, Role, User
from tests.integrations.delivery.leaks import Secrets


@pytest.fixture
def secrets() -> Secrets:
    return Secrets(
        django_settings.SECRET_KEY,
        django_settings.PINTEREST_APP_SECRET if django_settings.PINTEREST_APP_FROM_ENV else "",
        *django_settings.TOKEN_KEYS,
    )


@pytest.fixture
def admin(workspace) -> User:
    person = User.objects.create_user("alice@example.com")
    Member.objects.create(workspace=workspace, user=person, role=Role.ADMIN)
    return person


@pytest.fixture
def browser(admin) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    return client
