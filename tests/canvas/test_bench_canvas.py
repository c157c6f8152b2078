"""`bench_canvas`, run for real and small, on the database that the tests use."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from canvas.models import Canvas
from pinsync.profiles.models import Profile
from tests.grounds import run


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_launch_and_import_add_up_and_nothing_is_left(tmp_path):
    found = run(tmp_path, "bench_canvas", "--launch", "400", "--import", "300", seconds=120)
    assert found["status"] == 0
    assert found["database"] == connection.vendor
    assert found["processes_left"] == []
    assert not list(tmp_path.glob("pinsync-bench-*"))
    assert not Profile.objects.exists()
    assert not Canvas.objects.exists()

    launch = found["launch"]
    assert launch["as_expected"] is True
    assert (launch["step_entered"], launch["entered"], launch["entry_rows"]) == (400, 400, 400)
    assert (launch["pending"], launch["pending_rows"]) == (392, 392)
    assert (launch["not_synced"], launch["not_synced_rows"]) == (8, 8)
    assert launch["portions"] == 1
    assert 10 <= launch["queries_per_portion"] == launch["queries"] <= 40
    assert launch["share_of_limit"] == pytest.approx(launch["seconds"] / launch["limit_seconds"], abs=0.001)
    assert launch["peak_mb"] >= launch["peak_mb_before"] > 20

    first, again = found["import"]["first"], found["import"]["again"]
    assert (first["created"], first["updated"], first["rejected"]) == (297, 0, 3)
    assert (again["created"], again["updated"], again["rejected"]) == (0, 297, 3)
    for one in (first, again):
        assert one["as_expected"] is True
        assert one["share_of_limit"] == pytest.approx(one["seconds"] / found["import"]["limit_seconds"], abs=0.001)
        assert 20 < one["peak_mb"] < found["import"]["limit_mb"]
        assert one["share_of_limit_mb"] == pytest.approx(one["peak_mb"] / found["import"]["limit_mb"], abs=0.001)


@pytest.mark.parametrize("asked", [[], ["--launch", "-5"], ["--launch", "-5", "--import", "9"]])
def test_nothing_to_measure_is_said(asked):
    with pytest.raises(CommandError, match="Say how much"):
        call_command("bench_canvas", *asked)
