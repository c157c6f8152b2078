"""bin/demo and bin/test as a person uses them: started, looked at, stopped in every way, and nothing left behind."""

import fcntl
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from pinsync import demo

ROOT = Path(__file__).resolve().parent.parent
READY = re.compile(r"^Pinsync is ready: (http://127\.0\.0\.1:\d+/) sign in: (\S+) / (\S+)$")
STOP_SECONDS = 10

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]


def free_port() -> int:
    """Return a port that nobody listens on, below those that the system gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Demo:
    """One run of bin/demo with its own ports and data. Its processes are known by the data folder they were given."""

    def __init__(self, folder: Path, root: Path = ROOT, **variables: str) -> None:
        self.folder, self.root = folder, root
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PINSYNC_DATA_DIR": str(folder / "data")}
        self.env |= {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())} | variables
        self.output, self.errors = folder / "output", folder / "errors"

    def start(self) -> "Demo":
        with self.output.open("w") as output, self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [self.root / "bin" / "demo"],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        return self

    def wait_for(self, path: Path, text: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while text not in path.read_text():
            assert self.process.poll() is None, self.errors.read_text()
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.05)

    def ready(self) -> tuple[str, str, str]:
        """Wait for the ready line; return the address, the e-mail address and the password in it."""
        self.wait_for(self.output, "\n")
        (line,) = self.output.read_text().splitlines()
        found = READY.match(line)
        assert found, line
        return found[1], found[2], found[3]

    def ends(self, code: int) -> None:
        """It ends with this exit code, in time and with nothing left."""
        assert self.process.wait(STOP_SECONDS) == code, self.errors.read_text()
        deadline = time.monotonic() + 1  # what was just killed may need a moment to vanish
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.left() == []

    def left(self, command: str = "") -> list[int]:
        """Return the ids of the processes of this run whose command line has `command` in it."""
        mark = f"PINSYNC_DATA_DIR={self.env['PINSYNC_DATA_DIR']}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if mark in (folder / "environ").read_bytes().split(b"\0") and line and command in line:
                    found.append(int(folder.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it ended while we looked, or is somebody else's
        return sorted(found)


@contextmanager
def demo_in(folder: Path) -> Iterator[Demo]:
    run = Demo(folder)
    try:
        yield run
    finally:
        for pid in run.left():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of a demo that was started once, from nothing, and stopped.

    Once for all processes that run tests: who comes second waits, and finds it made.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = shared / "first-demo"
    with (shared / "first-demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)  # of somebody who came half-way
            folder.mkdir()
            with demo_in(folder) as first:
                first.start().ready()
                first.process.send_signal(signal.SIGTERM)
                first.ends(0)
            (folder / "made").touch()
    return folder / "data"


@pytest.fixture
def pinsync(filled: Path, tmp_path: Path) -> Iterator[Demo]:
    shutil.copytree(filled, tmp_path / "data")
    with demo_in(tmp_path) as run:
        yield run


def made_once(run: Demo) -> list[tuple[object, ...]]:
    """Return what a start makes when there is nothing yet, and a second one must find: that is what makes it quick."""
    (database,) = (run.folder / "data").glob("*.sqlite3")
    questions = (
        "SELECT count(*), max(applied) FROM django_migrations",
        "SELECT count(*), max(id), max(created_at) FROM profiles_profile",
        "SELECT count(*), max(id) FROM canvas_canvas",
    )
    with closing(sqlite3.connect(database)) as connection:
        return [connection.execute(question).fetchone() for question in questions]


def test_a_person_starts_it_again_and_signs_in(pinsync: Demo):
    before = made_once(pinsync)
    address, email, password = pinsync.start().ready()
    assert made_once(pinsync) == before
    assert "Installing" not in pinsync.errors.read_text()
    assert (address, email, password) == (f"http://127.0.0.1:{pinsync.env['PORT']}/", demo.EMAIL, demo.PASSWORD)
    person = requests.Session()
    page = person.get(f"{address}accounts/login/", timeout=10)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    form = {"csrfmiddlewaretoken": token[1], "login": email, "password": password}
    home = person.post(f"{address}accounts/login/", data=form, timeout=30)
    assert (home.status_code, "/accounts/" in home.url) == (200, False)
    os.killpg(pinsync.process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
    pinsync.ends(0)


def test_a_signal_to_everybody_at_once_stops_it_too(pinsync: Demo):
    pinsync.start().ready()
    for pid in pinsync.left():
        os.kill(pid, signal.SIGTERM)
    pinsync.ends(0)


def test_impatience_does_no_harm(pinsync: Demo):
    pinsync.start().ready()
    for _ in range(5):
        os.killpg(pinsync.process.pid, signal.SIGINT)
        time.sleep(0.1)
    pinsync.ends(0)


def test_killed_itself_it_takes_the_others_along(pinsync: Demo):
    pinsync.start().ready()
    pinsync.process.kill()
    assert pinsync.process.wait(5) == -signal.SIGKILL
    deadline = time.monotonic() + STOP_SECONDS
    while pinsync.left() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert pinsync.left() == []


@pytest.mark.parametrize(
    ("name", "command"), [("web", "gunicorn"), ("worker", "manage.py worker"), ("sandbox", "pinterest_sandbox")]
)
def test_when_one_process_dies_all_stop_and_it_is_named(pinsync: Demo, name: str, command: str):
    pinsync.start().ready()
    os.kill(pinsync.left(command)[0], signal.SIGKILL)
    pinsync.ends(1)
    assert f"“{name}” has ended by itself, with exit code -9." in pinsync.errors.read_text()


@pytest.mark.parametrize("moment", ["Preparing the database", "Starting web", "Making the demo data"])
def test_it_stops_while_it_starts(pinsync: Demo, moment: str):
    pinsync.start().wait_for(pinsync.errors, moment)
    os.killpg(pinsync.process.pid, signal.SIGTERM)
    pinsync.ends(0)
    assert pinsync.output.read_text() == ""


def test_it_stops_while_it_installs(tmp_path: Path):
    """The package index here takes the call and never answers."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".venv", "var", ".git", "*_cache", "__pycache__")
    shutil.copytree(ROOT, clone, ignore=ignored)
    with socket.create_server(("127.0.0.1", 0)) as index:
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        run = Demo(tmp_path, clone, PIP_INDEX_URL=address, PIP_CONFIG_FILE=os.devnull, PIP_NO_CACHE_DIR="1").start()
        run.wait_for(run.errors, "Installing requirements.txt")
        index.accept()
        assert run.left("pip install") != []
        os.killpg(run.process.pid, signal.SIGINT)
        run.ends(0)
    assert not (clone / ".venv" / "pinsync-installed.json").exists()  # so that the next start takes it up again


class TestClearErrorsBeforeAnythingStarts:
    @pytest.fixture
    def refused(self, tmp_path: Path):
        def run(**variables: str) -> str:
            started = Demo(tmp_path, **variables).start()
            started.ends(1)
            assert started.output.read_text() == ""
            assert not (tmp_path / "data").exists()
            return started.errors.read_text()

        return run

    @pytest.mark.parametrize(("variable", "use"), [("PORT", "web"), ("SANDBOX_PORT", "sandbox")])
    def test_a_port_is_taken(self, refused, variable: str, use: str):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            text = refused(**{variable: str(port)})
        assert text.startswith(f"Port {port} for the {use} cannot be used: address already in use.")
        assert f"choose another: {variable}=" in text

    @pytest.mark.parametrize("value", ["0", "65536", "http", "-1"])
    def test_a_port_is_none(self, refused, value: str):
        assert refused(PORT=value) == f"PORT must be a port, a number from 1 to 65535, not “{value}”.\n"

    def test_both_ports_are_one(self, refused):
        port = str(free_port())
        assert refused(PORT=port, SANDBOX_PORT=port).startswith(f"PORT and SANDBOX_PORT are both {port};")

    @pytest.mark.parametrize("command", ["bin/demo", "bin/test", "bin/messages", ".ci/run"])
    def test_python_is_too_old(self, tmp_path: Path, command: str):
        old = tmp_path / "python3"
        old.write_text("#!/bin/sh\necho Python 3.9.18\n")
        old.chmod(0o755)
        ended = subprocess.run(
            ["/bin/sh", ROOT / command], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=10
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == (
            "Pinsync needs Python 3.11 or newer, and there is none on the PATH; python3 here is Python 3.9.18. "
            "Install it and start again.\n"
        )

    def test_there_is_no_gettext(self, tmp_path: Path):
        (tmp_path / "python3").symlink_to(sys.executable)
        ended = subprocess.run(
            ["/bin/sh", ROOT / "bin" / "messages"],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=10,
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == (
            "GNU gettext is not complete on this machine: there is no xgettext, msgmerge, msgattrib, msgfmt. "
            "Install it (Debian: apt install gettext) and start again.\n"
        )

    def test_there_is_no_python(self, tmp_path: Path):
        ended = subprocess.run(
            ["/bin/sh", ROOT / "bin" / "demo"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=10
        )
        assert ended.returncode == 1
        assert ended.stderr.startswith("Pinsync needs Python 3.11 or newer, and there is none on the PATH. ")

    def test_a_bad_setting(self, tmp_path: Path):
        started = Demo(tmp_path, DATABASE_URL="mysql://somewhere").start()
        started.ends(1)
        errors = started.errors.read_text()
        assert "Pinsync cannot start. DATABASE_URL must look like postgres://" in errors
        assert "The database could not be prepared; see above." in errors


def run_tests(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PINSYNC_DATA_DIR": str(folder / "data")} | variables
    return subprocess.run(
        [ROOT / "bin" / "test", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )


def test_bin_test_hands_its_arguments_to_pytest(tmp_path: Path):
    ended = run_tests(tmp_path, "tests/pinsync/test_env.py", "-q", "-k", "booleans_are_true_and_false")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^4 passed", ended.stdout, re.MULTILINE)


def test_bin_test_ends_as_pytest_does(tmp_path: Path):
    assert run_tests(tmp_path, "tests/no_such_file.py").returncode == pytest.ExitCode.USAGE_ERROR


def test_bin_test_starts_from_the_defaults(tmp_path: Path):
    """Whatever the person has set for a server."""
    wrong = {"DEBUG": "false", "SECRET_KEY": "x", "PINTEREST_API_URL": "http://127.0.0.1:1", "REDIS_URL": "redis://no"}
    ended = run_tests(tmp_path, "tests/pinsync/test_health.py", "-q", **wrong)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_ci_passes_over_nothing_for_want_of_files(tmp_path: Path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    env |= {"PINSYNC_TEST_DATA": str(tmp_path / "none.csv"), "PINSYNC_PINTEREST_OPENAPI": str(tmp_path / "none.json")}
    ended = subprocess.run([ROOT / ".ci" / "run"], env=env, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "PINSYNC_TEST_DATA names another place." in ended.stderr
    assert "PINSYNC_PINTEREST_OPENAPI names another place." in ended.stderr


def test_the_demo_person_can_be_read_before_anything_is_installed():
    code = "import sys; from pinsync import demo; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, timeout=30).returncode == 0
