"""What a process does not do as it starts, and ever after."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pinsync.starting import loading

ROOT = Path(__file__).resolve().parent.parent.parent
ASKED = """
import gc, json, sys
print(json.dumps({"kept": gc.get_freeze_count(), "looks": gc.isenabled(), "psycopg": "psycopg" in sys.modules}))
"""


@pytest.fixture
def _enabled():
    yield
    gc.enable()


@pytest.mark.usefixtures("_enabled")
def test_what_is_loaded_is_not_looked_through_again():
    before = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
        loaded: list[object] = [object()]
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    assert not any(found is loaded for found in gc.get_objects())


@pytest.mark.usefixtures("_enabled")
def test_garbage_is_looked_for_also_after_a_start_that_failed():
    with pytest.raises(OSError), loading():
        raise OSError
    assert gc.isenabled()


@pytest.mark.parametrize(
    "start", [["manage.py", "shell", "--no-imports", "-c", ASKED], ["-c", f"import pinsync.wsgi{ASKED}"]]
)
def test_each_process_starts_like_that_and_without_the_other_database(start, tmp_path):
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    env |= {"PINSYNC_DATA_DIR": str(tmp_path), "DEBUG": "true"}
    said = subprocess.run([sys.executable, *start], cwd=ROOT, env=env, capture_output=True, check=True, timeout=120)
    found = json.loads(said.stdout)
    assert found["kept"] > 50_000
    assert found["looks"]
    assert not found["psycopg"]
