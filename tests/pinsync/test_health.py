"""The two pages that load balancers ask."""

import pytest
from django.db import connection
from django.test import Client, override_settings


def test_alive_asks_nothing_of_the_database(client: Client):
    """Without the django_db mark pytest-django forbids every query."""
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_ready_when_all_tables_are_there(client: Client):
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_not_ready_while_a_migration_waits(client: Client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'canvas'")
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (503, b"migrations\n")


@override_settings(SECURE_SSL_REDIRECT=True)
def test_probes_come_without_https(client: Client):
    assert client.get("/healthz").status_code == 200
    assert client.get("/accounts/login/").status_code == 301


def test_they_only_read(client: Client):
    assert client.post("/healthz").status_code == 405
