""".ci/run: everything that must hold before a change is merged. Standard library only.

Every step runs, so that one look shows all that is wrong.
"""

import base64
import secrets
import shutil
import sys
from pathlib import Path

from environment import DEVELOPMENT, PYTHON, check_python, inherited, prepare
from foreground import ROOT, Failed, Foreground, main_of, tell

sys.path.insert(0, str(ROOT))
from tests import material  # standard library only, like all of us

POSTGRESQL = "postgres://postgres@127.0.0.1/pinsync"
ANSWERS = """
import sys, psycopg
from urllib.parse import urlsplit
try:
    psycopg.connect(urlsplit(sys.argv[1])._replace(path="/postgres").geturl(), connect_timeout=5).close()
except psycopg.OperationalError as error:
    sys.exit(str(error))
"""


def check_test_data() -> None:
    """Raises Failed when the files are missing without which tests would skip; here nothing may be skipped for that."""
    if sentences := material.missing():
        raise Failed(" ".join(sentences))


def production() -> dict[str, str]:
    """Return an environment such as README, “Production”, asks for."""
    return inherited() | {
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "PINSYNC_TOKEN_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "PINSYNC_URL": "https://pinsync.example.com",
        "ALLOWED_HOSTS": "pinsync.example.com",
        "DATABASE_URL": "postgres://pinsync@database.example.com/pinsync",
        "REDIS_URL": "redis://cache.example.com:6379/0",
        "WEB_CONCURRENCY": "2",
        "EMAIL_HOST": "mail.example.com",
        "PINTEREST_APP_ID": "1234567",
        "PINTEREST_APP_SECRET": "a-secret-for-the-check",
        "PINTEREST_API_URL": "",
        "PINTEREST_OAUTH_URL": "",
    }


def get_chromium(foreground: Foreground) -> bool:
    """Install Chromium where a package manager lets us; return whether the browser tests can run."""
    if not shutil.which("chromium") and shutil.which("apt-get"):
        print("== installing Chromium", flush=True)
        env = inherited() | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            if foreground.follow([*command], env):
                break
    if not shutil.which("chromium"):
        tell("There is no Chromium, and it could not be installed; the browser tests need it.")
        return False
    return True


def look(foreground: Foreground) -> list[str]:
    """Run all steps and return the names of those that failed."""
    failed: list[str] = []

    if not get_chromium(foreground):
        failed.append("Chromium")

    def step(name: str, command: list[str | Path], env: dict[str, str]) -> None:
        print(f"== {name}", flush=True)
        if foreground.follow(command, env):
            failed.append(name)

    plain = inherited() | {"CI": "true"}
    plain.setdefault("PINSYNC_DATA_DIR", str(ROOT / "var" / "ci"))
    server = plain.pop("DATABASE_URL", "") or POSTGRESQL
    python: list[str | Path] = [PYTHON, "-m"]
    manage: list[str | Path] = [PYTHON, ROOT / "manage.py"]
    step("ruff check", [*python, "ruff", "check", "."], plain)
    step("ruff format", [*python, "ruff", "format", "--check", "."], plain)
    step("mypy", [*python, "mypy"], plain)
    step("migrations", [*manage, "makemigrations", "--check", "--dry-run"], plain)
    step(
        "check --deploy",
        [*manage, "check", "--deploy", "--fail-level", "WARNING"],
        production() | {"PINSYNC_DATA_DIR": plain["PINSYNC_DATA_DIR"]},
    )
    tests: list[str | Path] = [ROOT / "bin" / "test"]
    without_browser = [*tests, "-mnot browser"]  # one word: bin/test takes all that begins with a dash for an option
    step("tests on SQLite", without_browser, plain)
    if foreground.follow([PYTHON, "-c", ANSWERS, server], plain):
        tell("No PostgreSQL answers. DATABASE_URL names one whose user may make databases.")
        failed.append("tests on PostgreSQL")
    else:
        step("tests on PostgreSQL", without_browser, plain | {"DATABASE_URL": server})
    # By themselves: what Chromium is asked to do within seconds takes longer beside a whole suite.
    step("tests in Chromium", [*tests, "-n2", "tests/browser"], plain | {"PINSYNC_TEST_BROWSER": "true"})
    return failed


def run(foreground: Foreground) -> int:
    check_python()
    check_test_data()
    prepare(foreground, DEVELOPMENT)
    failed = look(foreground)
    if failed:
        tell(f"Failed: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main_of(run))
