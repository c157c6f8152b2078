"""`bench_pages`, run for real and small, on the database that the tests use."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from canvas.models import Canvas
from tests.grounds import run


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_every_page_is_measured_and_none_asks_too_much(tmp_path):
    found = run(tmp_path, "bench_pages", "--users", "8000", "--looks", "1", seconds=300)
    assert found["status"] == 0
    assert found["database"] == connection.vendor
    assert found["processes_left"] == []
    assert not list(tmp_path.glob("pinsync-bench-*"))
    assert not Canvas.objects.exists()
    pages = found["pages"]
    assert {"home", "canvas_detail", "step_day", "step_all", "users_pending", "batches_errored", "profile"} <= set(
        pages
    )
    for name, page in pages.items():
        assert page["queries"] <= found["limit_queries"], name
        assert page["gzip_bytes"] > 500, name
        assert page["share_of_limit_ms"] == pytest.approx(page["ms"] / found["limit_ms"], abs=0.001)
        assert page["share_of_limit_queries"] == pytest.approx(page["queries"] / found["limit_queries"], abs=0.001)
    assert found["highest_share_of_limit_ms"] == pages[found["slowest"]]["share_of_limit_ms"]
    assert found["highest_share_of_limit_queries"] == pages[found["most_queries"]]["share_of_limit_queries"]
    # What is looked at is there: errored users and refused batches, a year of minutes, further pages.
    assert pages["users_errored"]["gzip_bytes"] > pages["users_errored_further"]["gzip_bytes"]
    assert pages["step_all"]["gzip_bytes"] > pages["canvas_analytics"]["gzip_bytes"]


@pytest.mark.parametrize(
    ("asked", "why"), [({"users": 100}, "at least 4,000"), ({"looks": 0}, "--looks has to be at least 1")]
)
def test_what_cannot_be_measured_is_refused(asked, why):
    with pytest.raises(CommandError, match=why):
        call_command("bench_pages", **asked)
