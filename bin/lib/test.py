"""bin/test: the tests, on SQLite unless DATABASE_URL says otherwise. Standard library only."""

import os
import sys

from environment import DEVELOPMENT, PYTHON, check_python, inherited, prepare
from foreground import ROOT, Foreground, main_of

PROCESSES = "4"  # each with a test database of its own: three whose tests mostly wait, and one whose tests compute

# Tests start from the defaults, whatever the person who runs them has set for a server.
KEPT = (
    "DATABASE_URL",
    "PINSYNC_DATA_DIR",
    "PINSYNC_TEST_DATA",
    "PINSYNC_PINTEREST_OPENAPI",
    "PINSYNC_TEST_GIVE_UP_SECONDS",
    "PINSYNC_TEST_BROWSER",
)
OURS = (
    "DEBUG",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "PORT",
    "SANDBOX_PORT",
    "BIND",
    "REDIS_URL",
    "WEB_CONCURRENCY",
    "BEHIND_PROXY",
    "LOG_LEVEL",
    "DEFAULT_FROM_EMAIL",
)
PREFIXES = ("PINSYNC_", "PINTEREST_", "EMAIL_", "SECURE_", "DJANGO_")


def settings_of_tests() -> dict[str, str]:
    """Return the environment for pytest: the embedded profile with a data folder of its own."""
    env = {
        name: value
        for name, value in inherited().items()
        if name in KEPT or not (name in OURS or name.startswith(PREFIXES))
    }
    env.setdefault("PINSYNC_DATA_DIR", str(ROOT / "var" / "test"))
    env["DJANGO_SETTINGS_MODULE"] = "pinsync.settings"
    env["DEBUG"] = "true"
    # Compiled once: every process of the tests, and hundreds that they start, would compile all of it again.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def make_ready(foreground: Foreground) -> int:
    check_python()
    prepare(foreground, DEVELOPMENT)
    return 0


def main() -> None:
    if code := main_of(make_ready):
        sys.exit(code)
    os.chdir(ROOT)
    # In our place: signals and the exit code are pytest's own. Tests that are named run one after the other, so that
    # pytest says what is wrong with a name. Who is done takes over from who is not; tests/conftest.py says who begins
    # with what.
    is_whole = all(argument.startswith("-") for argument in sys.argv[1:])
    parallel = ["-n", PROCESSES, "--dist", "worksteal"] if is_whole else []
    os.execve(PYTHON, [str(PYTHON), "-m", "pytest", *parallel, *sys.argv[1:]], settings_of_tests())  # noqa: S606


if __name__ == "__main__":
    main()
