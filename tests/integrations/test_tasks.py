"""The doors of the task queue lead somewhere."""

import ast
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from integrations import tasks
from integrations.pinterest.sandbox.breaking import break_on_purpose

ROOT = Path(__file__).resolve().parent.parent.parent


def rung() -> set[str]:
    """Return every dotted path that code hands to the queue as it stands."""
    found = set(settings.TICK_TASKS)
    for path in (each for app in ("pinsync", "integrations", "canvas") for each in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ".tasks." in node.value:
                found.add(node.value)
    return {name for name in found if name.replace(".", "").replace("_", "").isalpha()}


@pytest.mark.parametrize("name", sorted(rung()))
def test_every_task_that_is_rung_exists(name):
    assert callable(import_string(name))


def test_audiences_are_read_again_for_staff_and_an_outage_is_no_crash(sandbox, ad_account):
    tasks.refresh_audiences(ad_account.pk)
    ad_account.refresh_from_db()
    read_at = ad_account.audiences_refreshed_at
    assert read_at is not None
    break_on_purpose(sandbox, "outage", {})
    tasks.refresh_audiences(ad_account.pk)
    ad_account.refresh_from_db()
    assert ad_account.audiences_refreshed_at == read_at
