"""A connection is opened before a request has its turn, so that the request arrives when it starts."""

import socket
import threading

import pytest

from integrations.pinterest import limits
from integrations.pinterest.answers import About
from integrations.pinterest.client import Bearer, call, warm_up

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"id": "77"}'


def in_a_fresh_thread(*steps):
    """Run steps in a thread that has no connection yet, one at a time, each when it is asked for."""
    goes, done, results = threading.Semaphore(0), threading.Semaphore(0), []

    def run():
        for step in steps:
            goes.acquire()
            results.append(step())
            done.release()

    threading.Thread(target=run, daemon=True).start()
    return goes, done, results


@pytest.fixture
def server(settings):
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.settimeout(3)
        settings.PINTEREST_API_URL = f"http://127.0.0.1:{found.getsockname()[1]}/v5"
        yield found


def test_the_request_leaves_on_the_connection_that_was_made_before(server):
    def ask():
        return call("GET", "/user_account", About.PERSON, Bearer("token"))

    goes, done, results = in_a_fresh_thread(warm_up, warm_up, ask, warm_up)
    goes.release()
    goes.release()
    connected, _ = server.accept()
    assert done.acquire(timeout=3)
    assert done.acquire(timeout=3)
    connected.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connected.recv(1)  # nothing was asked yet
    goes.release()
    connected.settimeout(3)
    assert connected.recv(4096).startswith(b"GET /v5/user_account ")
    connected.sendall(ANSWER)
    assert done.acquire(timeout=3)
    goes.release()
    assert done.acquire(timeout=3)
    assert results[2] == (200, {"id": "77"})
    server.settimeout(0.2)
    with pytest.raises(TimeoutError):
        server.accept()  # one connection served all of it
    connected.close()


def test_a_partner_that_does_not_answer_is_met_by_the_request_not_before(settings):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        settings.PINTEREST_API_URL = f"http://127.0.0.1:{nobody.getsockname()[1]}/v5"
    goes, done, results = in_a_fresh_thread(warm_up)
    goes.release()
    assert done.acquire(timeout=limits.WARM_UP_SECONDS + 2)
    assert results == [None]
