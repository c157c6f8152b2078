"""`/metrics`: who may ask, and that it is what Prometheus reads."""

import re

import pytest
from django.test import Client

TOKEN = "correct-horse-battery-staple"
LINE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? -?[0-9]+(\.[0-9]+)?(e-?\d+)?')


@pytest.fixture
def token(settings) -> str:
    settings.METRICS_TOKEN = TOKEN
    return TOKEN


def test_not_there_without_a_token_in_the_settings(client: Client, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"]
)
def test_only_for_who_has_the_token(client: Client, token, sent):
    """Without the django_db mark pytest-django forbids every query: a stranger costs none."""
    response = client.get("/metrics", headers={} if sent is None else {"Authorization": sent})
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert b"pinsync_" not in response.content


@pytest.mark.django_db
def test_prometheus_can_read_it(client: Client, token):
    response = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = response.content.decode().splitlines()
    assert lines
    described: list[str] = []
    for line in lines:
        if line.startswith("# HELP "):
            described.append(line.split()[2])
        elif not line.startswith("# TYPE "):
            assert LINE.fullmatch(line), line
            assert re.split(r"[ {]", line)[0] == described[-1]
    assert len(described) == len(set(described))
    assert client.post("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 405
