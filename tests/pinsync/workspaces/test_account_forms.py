"""The forms by which people come in: their fields are the product's own."""

import re

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def fields(html: str) -> list[str]:
    return re.findall(r'<div class="field"><label for="id_\w+">([^<]+)</label>', html)


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        ("/accounts/login/", ["E-mail address", "Password"]),
        ("/accounts/signup/", ["E-mail address", "Password", "Password (again)"]),
        ("/accounts/password/reset/", ["E-mail address"]),
    ],
)
def test_a_field_has_a_label_and_what_is_wrong_stands_beside_it(
    client: Client, address: str, labels: list[str]
) -> None:
    html = client.get(address).content.decode()
    assert fields(html) == labels
    assert "placeholder" not in html
    html = client.post(address, {"email": "x@", "login": "x@"}).content.decode()
    assert fields(html) == labels
    for name in re.findall(r'<input type="(?:email|password)" name="(\w+)"', html):
        assert f'id="id_{name}_error"' in html
        described = re.search(rf'<input[^>]* name="{name}"[^>]* aria-describedby="([^"]+)"', html)
        assert described
        assert f"id_{name}_error" in described[1].split()


def test_a_new_address_is_asked_for_as_such(acme, alice) -> None:
    client = Client()
    client.force_login(alice)
    html = client.get("/accounts/email/").content.decode()
    assert fields(html) == ["New e-mail address"]
    html = client.post("/accounts/email/", {"email": "x@", "action_add": ""}, follow=True).content.decode()
    assert "placeholder" not in html
