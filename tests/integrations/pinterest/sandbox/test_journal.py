"""A killed sandbox has lost nothing that it answered."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations.pinterest.sandbox.journal import Journal, JournalDamaged, JournalInUse
from integrations.pinterest.sandbox.limits import Limits
from integrations.pinterest.sandbox.sandbox import Sandbox

from .conftest import US, digests

REPOSITORY = Path(__file__).resolve().parents[4]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the command as a process of its own until it listens."""
    port = free_port()
    command = [sys.executable, "manage.py", "pinterest_sandbox", "--port", str(port), "--data", str(path), *options]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=REPOSITORY, env=os.environ, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                try:
                    requests.get(f"{url}/_control/health", timeout=1)
                    break
                except requests.ConnectionError:
                    assert process.poll() is None
                    time.sleep(0.05)
            yield process, url
        finally:
            process.kill()


def audiences(url: str) -> Any:
    return requests.get(f"{url}/_control/audiences", timeout=5).json()


@pytest.mark.processes
def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    with running(path) as (process, url):
        session = requests.Session()
        tokens = session.post(f"{url}/_control/tokens", json={"pinterest_user": "maple_and_moss"}, timeout=5).json()
        session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        lists = f"/v5/ad_accounts/{US}/customer_lists"
        created = session.post(f"{url}{lists}", json={"name": "x", "records": "0" * 64}, timeout=5).json()
        body = {"name": "x", "audience_type": "CUSTOMER_LIST", "rule": {"customer_list_id": created["id"]}}
        assert session.post(f"{url}/v5/ad_accounts/{US}/audiences", json=body, timeout=5).status_code == 200
        for operation, records in (("ADD", digests(1_900)), ("REMOVE", digests(300)), ("ADD", "ann@example.com")):
            change = {"operation_type": operation, "records": records}
            assert session.patch(f"{url}{lists}/{created['id']}", json=change, timeout=5).status_code == 200
        for fault in ({"fault": "delete_audience", "audience_id": "2542620600007"}, {"fault": "clock", "hours": 30}):
            assert session.post(f"{url}/_control/faults", json=fault, timeout=5).status_code == 200
        assert session.post(f"{url}/_control/faults", json={"fault": "latency", "ms": 3}, timeout=5).status_code == 200
        before = audiences(url)
        records = session.get(f"{url}/_control/customer_lists/{created['id']}/records", timeout=5).text
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert b"ann@example.com" not in path.read_bytes()
    assert tokens["access_token"].encode() not in path.read_bytes()
    for _ in range(2):  # the second time from the compacted journal
        with running(path) as (process, url):
            assert audiences(url) == before
            assert len(records.splitlines()) == 1_602
            assert session.get(f"{url}/_control/customer_lists/{created['id']}/records", timeout=5).text == records
            assert session.get(f"{url}{lists}/{created['id']}", timeout=5).json()["num_batches"] == 4
            [fault] = session.get(f"{url}/_control/faults", timeout=5).json()["faults"]
            assert (fault["fault"], fault["parameters"]["ms"]) == ("latency", 3)
            started = time.monotonic()
            process.terminate()
            assert process.wait() == 0
            assert time.monotonic() - started < 2


@pytest.mark.processes
def test_two_sandboxes_do_not_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    journal = Journal(path)
    with pytest.raises(JournalInUse):
        Journal(path)
    command = [sys.executable, "manage.py", "pinterest_sandbox", "--port", str(free_port()), "--data", str(path)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=20)
    assert ended.returncode == 1
    assert "Another sandbox is using" in ended.stderr
    journal.close()


def reopened(sandbox: Sandbox, path: Path, limits: Limits | None = None) -> Sandbox:
    assert sandbox.world.journal
    sandbox.world.journal.close()
    return Sandbox.opened(path, limits)


def test_a_torn_last_line_was_never_answered(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = Sandbox.opened(path)
    sandbox.world.remove_audience(id="2542620600007", with_list=True)
    with path.open("ab") as file:
        file.write(b'{"room":"world","do":"remove_audience","id":"25426206000')
    sandbox = reopened(sandbox, path)
    assert len(sandbox.world.audiences) == 1_262
    sandbox.world.remove_audience(id="2542620600014", with_list=True)
    assert len(reopened(sandbox, path).world.audiences) == 1_261


def test_a_torn_first_line_is_a_first_start(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    path.write_bytes(b'{"room":"wor')
    sandbox = Sandbox.opened(path)
    assert len(reopened(sandbox, path).world.audiences) == 1_263


def test_a_full_disk_tears_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = Sandbox.opened(path)
    written = path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:9]) and full_disk())
    with pytest.raises(OSError, match="No space left"):
        sandbox.world.remove_audience(id="2542620600007", with_list=True)
    assert path.read_bytes() == written
    assert "2542620600007" in sandbox.world.audiences


def full_disk() -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_damage_in_the_middle_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    path.write_bytes(b'{"room":"wor\n{"room":"world","do":"empty"}\n')
    with pytest.raises(JournalDamaged, match="Line 1 "):
        Sandbox.opened(path)


def test_tokens_and_their_grace_survive(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = Sandbox.opened(path)
    now = sandbox.clock.now()
    first = sandbox.tokens.grant("801000000000000001", ["ads:read"], now)
    code = sandbox.tokens.new_code("801000000000000001", ["ads:read"], "http://localhost/", now)
    sandbox.tokens.refresh(first.refresh, None, now)  # and nobody received the answer
    sandbox = reopened(sandbox, path)
    assert sandbox.tokens.holder(first.access, now).scopes == ["ads:read"]
    assert sandbox.tokens.redeem(code, "http://localhost/", now)
    second = sandbox.tokens.refresh(first.refresh, None, now)
    sandbox.tokens.holder(second.access, now)
    sandbox = reopened(sandbox, path)
    assert sandbox.tokens.refresh(second.refresh, None, now)


@pytest.mark.parametrize("starts", [1, 2])  # the second time from the compacted journal
def test_requests_of_the_last_minute_still_count(tmp_path: Path, starts: int) -> None:
    path = tmp_path / "sandbox.journal"
    limits = Limits(writes_per_minute=20)
    sandbox = Sandbox.opened(path, limits)
    now = sandbox.clock.monotonic()
    for at in [now - 90 + n for n in range(10)] + [now - 10 + n / 2 for n in range(20)]:
        assert sandbox.windows.admit("ann", "ads_write", at).allowed
    for _ in range(starts):
        sandbox = reopened(sandbox, path, limits)
    [(key, times)] = sandbox.windows.arrivals.items()
    assert (key, len(times)) == (("ann", "ads_write"), 20)
    assert not sandbox.windows.admit("ann", "ads_write", now).allowed
    assert sandbox.windows.admit("bob", "ads_write", now).allowed


def test_a_machine_that_was_started_anew_counts_from_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = Sandbox.opened(path)
    for _ in range(7):
        sandbox.windows.admit("ann", "ads_write", sandbox.clock.monotonic() + 1e6)
    sandbox = reopened(sandbox, path)
    assert sandbox.windows.admit("ann", "ads_write", sandbox.clock.monotonic()).allowed


def test_the_day_of_a_trial_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    trial = Limits(trial_calls=3)
    sandbox = Sandbox.opened(path, trial)
    day = sandbox.clock.now()
    for at in (day - 90_000, day - 9, day):
        sandbox.windows.admit("ann", "ads_read", sandbox.clock.monotonic(), day=at)
    assert reopened(sandbox, path, trial).windows.used_of_app(day) == 2


def test_an_id_is_never_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = Sandbox.opened(path)
    fields = {"ad_account_id": US, "name": "x", "audience_type": "ACTALIKE", "rule": {}, "created": 0, "updated": 0}
    last = sandbox.world.put_audience(id=sandbox.world.next_id(), **fields).id
    sandbox.world.remove_audience(id=last, with_list=True)
    for _ in range(2):  # the second time from the compacted journal
        sandbox = reopened(sandbox, path)
        assert int(sandbox.world.next_id()) == int(last) + 1


@pytest.mark.parametrize("line", ['{"room":"cellar","do":"empty"}', '{"room":"world","do":"fly"}', '{"room":"world"}'])
def test_a_journal_of_another_version_stops_the_start(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sandbox.journal"
    path.write_text(f"{line}\n")
    with pytest.raises(JournalDamaged, match="another version"):
        Sandbox.opened(path)


def test_reset_empties_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = Sandbox.opened(path)
    for _ in range(50):
        sandbox.world.change_records(id="643000000003", operation="ADD", records=digests(100), at=0.0)
    assert path.stat().st_size > 50 * 6_000
    sandbox.windows.admit("ann", "ads_write", sandbox.clock.monotonic())
    sandbox.reset()
    assert path.stat().st_size < 1_000
    assert sandbox.windows.arrivals == {}
    before = json.loads(sandbox.answer("GET", "/_control/audiences")[2])
    assert json.loads(reopened(sandbox, path).answer("GET", "/_control/audiences")[2]) == before
