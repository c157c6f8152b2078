"""A sandbox that runs for long does not grow for ever, and making its journal small loses nothing either."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from integrations.pinterest.sandbox.sandbox import Sandbox
from tests.workers import until

from .conftest import US, digests
from .test_journal import REPOSITORY, reopened

LIST = "643000000003"


def opened(path: Path, compact_after: int = 100_000) -> Sandbox:
    """Return a sandbox with one empty list, whose journal is made small early."""
    sandbox = Sandbox.opened(path)
    sandbox.world.empty()
    sandbox.world.create_customer_list(id=LIST, ad_account_id=US, name="x", list_type="EMAIL", records="", at=0.0)
    sandbox = reopened(sandbox, path)  # what there was before is not in the journal any more
    assert sandbox.world.journal
    sandbox.world.journal.compact_after = compact_after
    return sandbox


def everything(sandbox: Sandbox) -> list[str]:
    """Return all that the sandbox would keep, in one order."""
    lines = [json.loads(json.dumps(line)) for line in sandbox.dump()]
    for line in lines:
        if "records" in line:
            line["records"] = sorted(",".join(line["records"]).split(","))
    return sorted(json.dumps(line, sort_keys=True) for line in lines)


def test_what_was_changed_and_changed_back_is_dropped_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = opened(path)
    largest = written = 0
    for number in range(400):
        operation = "REMOVE" if number % 2 else "ADD"
        sandbox.world.change_records(id=LIST, operation=operation, records=digests(300), at=float(number))
        sandbox.windows.admit("ann", "ads_write", sandbox.clock.monotonic())
        written += 300 * 65
        largest = max(largest, path.stat().st_size)
        time.sleep(0.001)  # as between requests
    sandbox.world.change_records(id=LIST, operation="ADD", records=digests(7), at=500.0)
    assert written > 7_000_000
    assert largest < written / 3
    before = everything(sandbox)
    assert everything(reopened(sandbox, path)) == before
    assert [other.name for other in tmp_path.iterdir()] == [path.name]


def test_changes_from_all_sides_while_it_is_made_small_are_in_it(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = opened(path, 20_000)
    own = [digests(4_000).split(",")[start : start + 1_000] for start in range(0, 4_000, 1_000)]

    def change(mine: list[str]) -> None:
        for start in range(0, 1_000, 10):
            part = ",".join(mine[start : start + 10])
            for operation in ("ADD", "REMOVE", "ADD"):
                sandbox.world.change_records(id=LIST, operation=operation, records=part, at=1.0)

    threads = [threading.Thread(target=change, args=(mine,)) for mine in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = everything(sandbox)
    assert len(sandbox.world.customer_lists[LIST].records) >= 4_000
    assert everything(reopened(sandbox, path)) == before


def test_a_reset_while_it_is_made_small_is_not_undone(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = opened(path, 1)
    journal = sandbox.world.journal
    assert journal
    assert journal.shorter
    shorter, reached, go_on = journal.shorter, threading.Event(), threading.Event()

    def slowly(lines):
        found = list(shorter(lines))
        reached.set()
        assert go_on.wait(10)
        return found

    journal.shorter = slowly
    for number in (50, 51):
        sandbox.world.change_records(id=LIST, operation="ADD", records=digests(number), at=1.0)
    assert reached.wait(10)
    sandbox.reset()
    go_on.set()
    before = everything(sandbox)
    journal.close()
    assert path.stat().st_size < 1_000
    assert everything(Sandbox.opened(path)) == before
    assert [other.name for other in tmp_path.iterdir()] == [path.name]


def test_one_that_cannot_be_made_small_goes_on_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "sandbox.journal"
    sandbox = opened(path, 1)
    journal = sandbox.world.journal
    assert journal

    def full(lines):
        raise OSError("No space left on device")

    journal.shorter = full
    for number in (50, 51):
        sandbox.world.change_records(id=LIST, operation="ADD", records=digests(number), at=1.0)
    for thread in threading.enumerate():
        if thread.name == "compact":
            thread.join()
    assert "journal not made small" in caplog.text
    sandbox.world.change_records(id=LIST, operation="ADD", records=digests(60), at=2.0)
    before = everything(sandbox)
    assert everything(reopened(sandbox, path)) == before


WRITER = """
import sys
from pathlib import Path
from integrations.pinterest.sandbox.sandbox import Sandbox
sandbox = Sandbox.opened(Path(sys.argv[1]))
sandbox.world.journal.compact_after = 3000
number = int(sys.argv[2])
while True:
    number += 1
    for operation in ("ADD", "REMOVE", "ADD"):
        sandbox.world.change_records(id="643000000003", operation=operation, records=f"{number:064x}", at=1.0)
    print(number, flush=True)
"""


@pytest.mark.processes
def test_kill_9_at_any_moment_of_it_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    path, chance, answered = tmp_path / "sandbox.journal", random.Random(5), 0
    beginning = opened(path)
    assert beginning.world.journal
    beginning.world.journal.close()
    for _ in range(8):
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", WRITER.replace("sys.argv", "ARGS")]
        command[-1] = f"ARGS = ['', {str(path)!r}, {str(answered)!r}]\n{command[-1]}"
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
            assert process.stdout
            first = int(process.stdout.readline())
            inode = path.stat().st_ino
            until(lambda inode=inode: path.stat().st_ino != inode, 30)  # it was made small, and soon is again
            time.sleep(chance.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            answered = max([first, *map(int, process.stdout.read().split())])
        sandbox = Sandbox.opened(path)
        records = {record.hex() for record in sandbox.world.customer_lists[LIST].records}
        missing = [number for number in range(1, answered + 1) if f"{number:064x}" not in records]
        assert missing == []
        assert sandbox.world.journal
        sandbox.world.journal.close()
