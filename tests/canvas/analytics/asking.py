"""Hands for tests that ask pages as people do."""

from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext


def browser(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(client, canvas, path="", **query) -> str:
    answer = client.get(f"/w/shop/canvas/{canvas.pk}/{path}", query)
    assert answer.status_code == 200, answer.status_code
    return answer.getvalue().decode()


def queries(client, address, **query) -> int:
    """Return how many queries a page takes when it is asked for a second time."""
    assert client.get(address, query).status_code == 200
    with CaptureQueriesContext(database) as captured:
        assert client.get(address, query).status_code == 200
    return len(captured)


def listed(html) -> set[str]:
    """Return the users of the tests whom a page lists."""
    names = [f"u{n}" for n in range(200)] + ["blank"]
    return {name for name in names if f">{name}</a>" in html}
