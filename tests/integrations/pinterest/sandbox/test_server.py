"""The sandbox behind a real socket, and mounted on `responses` without one."""

import gc
import http.client
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from integrations.pinterest.sandbox.limits import Limits
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.server import SandboxServer
from integrations.pinterest.sandbox.testing import mount, serving

from .conftest import US, digests
from .test_journal import running

UNLIMITED = Limits(writes_per_second=100_000, writes_per_minute=1_000_000)


def login(url: str) -> requests.Session:
    session = requests.Session()
    tokens = session.post(f"{url}/_control/tokens", json={"pinterest_user": "maple_and_moss"}, timeout=5).json()
    session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return session


def test_a_connection_stays_open_even_after_refusals() -> None:
    with serving(Sandbox()) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        connection.connect()
        first = connection.sock
        for body, status in ((digests(40_000), 401), ("x", 401), ("", 401)):
            connection.request("POST", f"/v5/ad_accounts/{US}/customer_lists", body)
            answer = connection.getresponse()
            assert answer.status == status
            answer.read()
        assert connection.sock is first
        connection.close()


def test_a_dropped_answer_closes_the_connection_without_a_byte() -> None:
    sandbox = Sandbox()
    with serving(sandbox) as url:
        sandbox.faults.add("drop_answer", {"count": 1, "path": None})
        host, port = url.removeprefix("http://").split(":")
        token = str(login(url).headers["Authorization"]).encode()
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(b"GET /v5/user_account HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % token)
            assert connection.recv(100) == b""
        assert requests.get(f"{url}/v5/user_account", timeout=5).status_code == 401


def test_many_threads_lose_nothing() -> None:
    sandbox = Sandbox(None, UNLIMITED)
    with serving(sandbox) as url:
        lists = f"{url}/v5/ad_accounts/{US}/customer_lists"
        list_id = login(url).post(lists, json={"name": "x", "records": "0" * 64}, timeout=5).json()["id"]
        sessions = [login(url) for _ in range(6)]

        def send(number: int) -> None:
            for part in range(20):
                records = digests(50, start=(number * 20 + part) * 50)
                body = {"operation_type": "ADD", "records": records}
                assert sessions[number].patch(f"{lists}/{list_id}", json=body, timeout=10).status_code == 200

        threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    known = sandbox.world.customer_lists[list_id]
    assert (known.size(), known.uploaded, known.batches) == (6_001, 6_001, 121)


def test_arrival_is_noted_before_the_body_is_read() -> None:
    sandbox = Sandbox()
    with serving(sandbox) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(b"POST /v5/ad_accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
            before = time.time()
            time.sleep(0.2)
            connection.sendall(b"{}")
            assert connection.recv(100).startswith(b"HTTP/1.1 405")
    [entry] = sandbox.log.requests
    assert entry.time < before + 0.1


def test_mounted_without_a_socket() -> None:
    sandbox = Sandbox()
    with responses.RequestsMock() as mock:
        mount(mock, sandbox, "https://pinterest.test")
        session = login("https://pinterest.test")
        answer = session.get("https://pinterest.test/v5/ad_accounts", params={"page_size": 2}, timeout=5)
        assert [item["name"] for item in answer.json()["items"]] == ["Maple & Moss US", "Maple & Moss Canada"]
        body: dict[str, Any] = {"name": "x", "records": "0" * 64}
        path = f"https://pinterest.test/v5/ad_accounts/{US}/customer_lists"
        assert session.post(path, json=body, timeout=5).headers["Content-Type"] == "application/json"
        sandbox.faults.add("drop_answer", {"count": 1, "path": None})
        with pytest.raises(requests.ConnectionError):
            session.get("https://pinterest.test/v5/ad_accounts", timeout=5)


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked when a packet came")
@pytest.mark.parametrize("accepted", [True, False])
def test_a_request_arrives_when_it_comes_not_when_a_busy_sandbox_reads_it(tmp_path: Path, accepted: bool) -> None:
    with running(tmp_path / "sandbox.journal") as (process, url):
        host, port = url.removeprefix("http://").split(":")
        token = str(login(url).headers["Authorization"]).encode()
        if not accepted:
            os.kill(process.pid, signal.SIGSTOP)
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            if accepted:
                time.sleep(0.1)  # until a thread waits for the request
                os.kill(process.pid, signal.SIGSTOP)
            sent_at = time.time()
            connection.sendall(b"GET /v5/user_account HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % token)
            time.sleep(0.5)
            os.kill(process.pid, signal.SIGCONT)
            assert connection.recv(12) == b"HTTP/1.1 200"
        (line,) = requests.get(f"{url}/_control/requests", timeout=5).json()
        assert line["path"] == "/v5/user_account"
        assert abs(line["time"] - sent_at) < 0.1


def test_a_sandbox_in_a_process_of_its_own_never_walks_through_what_a_list_holds() -> None:
    sandbox = Sandbox()
    server = SandboxServer(sandbox, "127.0.0.1", 0)
    before = gc.get_freeze_count()
    try:
        server.keep_what_there_is()
        assert gc.get_freeze_count() == before  # a process of tests is not its own
        server.alone = True
        server.keep_what_there_is()
        assert gc.get_freeze_count() > before
        made: list[set[bytes]] = [set()]
        assert any(found is made for found in gc.get_objects())
        server.keep_what_there_is()
        assert not any(found is made for found in gc.get_objects())
    finally:
        gc.unfreeze()
        server.server_close()
