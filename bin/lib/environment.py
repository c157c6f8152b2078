"""The virtual environment in the clone: made once, used again until its requirements change. Standard library only."""

import fcntl
import hashlib
import importlib.util
import json
import os
import sys
from pathlib import Path

from foreground import ROOT, Failed, Foreground, tell

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "pinsync-installed.json"
RUNTIME = "requirements.txt"
DEVELOPMENT = "requirements-dev.txt"  # holds all of requirements.txt, at the same versions
ASIDE = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV")


def inherited() -> dict[str, str]:
    """Return our environment for commands inside the virtual environment."""
    env = {name: value for name, value in os.environ.items() if name not in ASIDE}
    env["PATH"] = f"{PYTHON.parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["PYTHONUNBUFFERED"] = "1"
    env["DJANGO_SETTINGS_MODULE"] = "pinsync.settings"
    if env.get("PINSYNC_DATA_DIR", "").strip():
        # We run in the clone, whoever called us from wherever: a relative folder is meant from there.
        env["PINSYNC_DATA_DIR"] = str(Path(env["PINSYNC_DATA_DIR"].strip()).resolve())
    return env


def check_python() -> None:
    """Raises Failed when no virtual environment could be made, before anything is begun."""
    if not PYTHON.exists() and importlib.util.find_spec("ensurepip") is None:
        raise Failed(
            f"{sys.executable} cannot make virtual environments. Install the venv package of your system "
            "(Debian: apt install python3-venv) and start again."
        )


def prepare(foreground: Foreground, requirements: str) -> None:
    """Make or mend the virtual environment so that it holds `requirements`. Safe to repeat and to interrupt.

    Two starts at once take turns. What was installed is noted last, so that an interrupted install is taken up again.
    """
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        foreground.wait_until(
            lambda: _locked(lock), seconds=900, otherwise="Another start has been installing for 15 minutes."
        )
        digest = hashlib.sha256((ROOT / requirements).read_bytes()).hexdigest()
        installed = _installed()
        if installed.get(requirements) == digest:
            return
        env = inherited() | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        if not installed and not _usable(foreground, env):
            foreground.quietly(
                [sys.executable, "-m", "venv", "--clear", VENV], env, f"No virtual environment could be made in {VENV}."
            )
        tell(f"Installing {requirements} into .venv, once. This takes a minute …")
        foreground.quietly(
            [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements],
            env,
            f"{requirements} could not be installed; what pip said is above.",
        )
        installed = {"at": str(VENV), requirements: digest}
        if requirements == DEVELOPMENT:
            installed[RUNTIME] = hashlib.sha256((ROOT / RUNTIME).read_bytes()).hexdigest()
        STAMP.write_text(json.dumps(installed))
    finally:
        os.close(lock)


def _usable(foreground: Foreground, env: dict[str, str]) -> bool:
    """Return whether somebody made a virtual environment here that pip can bring in line; moved ones are not mended."""
    if STAMP.exists() or not PYTHON.exists():
        return False
    question = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    return foreground.follow([PYTHON, "-c", question], env) == 0


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _installed() -> dict[str, str]:
    """Return what the virtual environment holds; nothing when there is none, it was moved, or its Python is gone."""
    try:
        installed = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return installed if PYTHON.exists() and installed.get("at") == str(VENV) else {}
