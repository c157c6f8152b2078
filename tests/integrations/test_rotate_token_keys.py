"""Keys rotate: new tokens are written with the newest, and the old one can be thrown away afterwards."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from integrations.fields import Unreadable
from integrations.models import Connection

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def old_connection(shop, now, settings) -> Connection:
    settings.TOKEN_KEYS = [OLD]
    return Connection.objects.create(
        workspace=shop, partner="pinterest", connected_at=now, access_token="pina_1", refresh_token="pinr_1"
    )


def read(connection) -> tuple[str, str]:
    found = Connection.objects.get(pk=connection.pk)
    return found.access_token, found.refresh_token


def test_both_keys_read_until_tokens_are_rotated(old_connection, settings, capsys):
    settings.TOKEN_KEYS = [NEW, OLD]
    assert read(old_connection) == ("pina_1", "pinr_1")
    call_command("rotate_token_keys")
    assert capsys.readouterr().out == "2 tokens are encrypted with the newest key.\n"
    settings.TOKEN_KEYS = [NEW]
    assert read(old_connection) == ("pina_1", "pinr_1")


def test_without_rotating_the_old_key_is_still_needed(old_connection, settings):
    settings.TOKEN_KEYS = [NEW]
    assert isinstance(read(old_connection)[0], Unreadable)


def test_tokens_of_an_unknown_key_are_counted_and_kept(old_connection, settings, capsys):
    settings.TOKEN_KEYS = [NEW]
    call_command("rotate_token_keys")
    assert "2 tokens can be read with no key" in capsys.readouterr().err
    settings.TOKEN_KEYS = [OLD]
    assert read(old_connection) == ("pina_1", "pinr_1")


def test_no_token_can_be_searched(old_connection):
    with pytest.raises(TypeError):
        Connection.objects.filter(access_token="pina_1").exists()
