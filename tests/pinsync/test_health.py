"""What load balancers and monitors ask."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import Heartbeat, Tick


def test_alive_asks_nothing_of_the_database(client: Client):
    """Without the django_db mark pytest-django forbids every query."""
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.fixture
def working(client: Client, db):
    """A worker that ticked just now."""
    client.get("/readyz")  # the first request that a process answers imports all pages, which can take seconds
    now = timezone.now()
    Tick.objects.create(id=1, last_at=now.timestamp())
    return Heartbeat.objects.create(name="host:1", started_at=now, parent_at=now)


def test_ready_when_all_is_well(client: Client, working):
    response = client.get("/readyz")
    answer = response.json()
    assert (response.status_code, answer["status"]) == (200, "ok")
    assert list(answer["checks"]) == ["database", "migrations", "tick", "oldest_pending", "queue"]
    assert all(check["ok"] for check in answer["checks"].values())
    assert answer["checks"]["tick"]["workers"] == 1
    assert answer["checks"]["tick"]["age_seconds"] < 5
    assert answer["checks"]["oldest_pending"]["age_seconds"] is None
    assert answer["checks"]["queue"] == {"ok": True, "waiting": 0, "oldest_seconds": None}


@pytest.mark.django_db
def test_not_ready_while_a_migration_waits(client: Client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'canvas'")
    response = client.get("/readyz")
    answer = response.json()
    assert (response.status_code, answer["status"]) == (503, "not ready")
    assert answer["checks"]["migrations"]["ok"] is False
    assert answer["checks"]["migrations"]["waiting"] >= 1
    assert list(answer["checks"]) == ["database", "migrations"]  # what else there is may have no table yet


@pytest.mark.django_db
def test_not_ready_without_a_database(client: Client):
    def away(*args):
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(away):
        response = client.get("/readyz")
    assert (response.status_code, response.json()["checks"]) == (503, {"database": {"ok": False}})


def test_a_worker_that_is_down_takes_no_page_down(client: Client, working):
    long_ago = timezone.now() - timedelta(minutes=5)
    Tick.objects.update(last_at=long_ago.timestamp())
    Heartbeat.objects.update(parent_at=long_ago)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["checks"]["tick"]["ok"] is False
    assert 299 <= response.json()["checks"]["tick"]["age_seconds"] <= 330
    assert response.json()["checks"]["tick"]["workers"] == 0
    assert client.get("/readyz?strict=true").status_code == 503


def test_tasks_that_nobody_takes_are_told(client: Client, working):
    now = timezone.now()
    OrmQ.objects.create(key="pinsync", payload="", lock=now - timedelta(minutes=2))
    OrmQ.objects.create(key="pinsync", payload="", lock=now + timedelta(minutes=2))  # a worker is at this one
    queue = client.get("/readyz").json()["checks"]["queue"]
    assert (queue["ok"], queue["waiting"]) == (False, 1)
    assert 120 <= queue["oldest_seconds"] <= 150


@override_settings(SECURE_SSL_REDIRECT=True)
def test_probes_come_without_https(client: Client):
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 404
    assert client.get("/accounts/login/").status_code == 301


def test_they_only_read(client: Client):
    assert client.post("/healthz").status_code == 405
