"""A write waits for its turn on a connection that stands: it arrives when it starts."""

import socket
import threading

import pytest
from django.db import connection

from integrations.contract import door
from integrations.delivery.reading import keep_door
from integrations.errors import PartnerError
from integrations.pinterest.answers import About
from integrations.pinterest.client import Bearer, call

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"id": "77"}'


@pytest.fixture
def server(settings):
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.settimeout(3)
        settings.PINTEREST_API_URL = f"http://127.0.0.1:{found.getsockname()[1]}/v5"
        yield found


@pytest.fixture
def turn():
    """A door that lets a write out when `turn` is set."""
    come = threading.Event()

    def wait(slug, errand):
        if errand == "write":
            come.wait(5)

    door.keep(wait)
    yield come
    door.keep(keep_door)


def in_a_thread(work) -> tuple[threading.Thread, list]:
    results: list = []

    def run():
        try:
            results.append(work())
        except PartnerError as error:
            results.append(error.code)
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


def write():
    return call("POST", "/ad_accounts/1/audiences", About.AD_ACCOUNT, Bearer("token"), json={"name": "Winter"})


def test_a_write_connects_first_and_goes_out_when_its_turn_has_come(server, turn):
    thread, results = in_a_thread(write)
    connected, _ = server.accept()  # there before the turn
    connected.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connected.recv(1)
    turn.set()
    connected.settimeout(3)
    assert connected.recv(4096).startswith(b"POST /v5/ad_accounts/1/audiences ")
    connected.sendall(ANSWER)
    thread.join(3)
    assert results == [(200, {"id": "77"})]
    connected.close()


def test_a_write_that_finds_nobody_takes_no_turn(settings, turn):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        settings.PINTEREST_API_URL = f"http://127.0.0.1:{nobody.getsockname()[1]}/v5"
    thread, results = in_a_thread(write)
    thread.join(3)
    assert not thread.is_alive()
    assert results == ["partner_unavailable"]


def test_a_turn_that_is_too_far_away_sends_nothing(server, turn):
    class TooFar(Exception):
        pass

    def refuse(slug, errand):
        raise TooFar

    door.keep(refuse)
    with pytest.raises(TooFar):
        write()
    connected, _ = server.accept()
    connected.settimeout(3)
    assert connected.recv(1) == b""  # closed, without a byte
    connected.close()
