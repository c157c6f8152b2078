"""Made-up users and the bundled export."""

import re
from datetime import timedelta
from io import StringIO

import pytest

from pinsync.profiles import made_up
from pinsync.profiles.importing import run_import
from pinsync.profiles.made_up import make_profiles
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Profile
from pinsync.profiles.sample_csv import ROWS, SAMPLE, write_sample
from pinsync.profiles.segments import field_coverage, profiles_in, usable
from pinsync.workspaces.models import Workspace
from tests.pinsync.profiles.conftest import NOW

EVERY_FIELD = MatchField.EMAIL | MatchField.IDFA | MatchField.GAID


@pytest.mark.parametrize(
    ("n", "share", "missing"), [(100, 0.25, 25), (7, 0.5, 4), (10, 0, 0), (10, 1, 10), (0, 0.5, 0)]
)
def test_a_share_of_them_has_no_usable_field(workspace: Workspace, n: int, share: float, missing: int) -> None:
    run = make_profiles(workspace, n, share, seed=1, now=NOW)
    users = profiles_in(workspace, source_import=run)
    assert (run.state, run.rows, run.created, users.count()) == ("done", n, n, n)
    assert n - usable(users, [EVERY_FIELD])[EVERY_FIELD] == missing


def test_the_rest_mix_their_fields(workspace: Workspace) -> None:
    coverage = field_coverage(profiles_in(workspace, source_import=make_profiles(workspace, 300, 0, seed=1, now=NOW)))
    assert all(100 < coverage[name] < 250 for name in ("email", "idfa", "gaid"))


def test_runs_do_not_meet_and_a_seed_repeats_itself(workspace: Workspace) -> None:
    first = make_profiles(workspace, 20, 0.1, seed=5, now=NOW)
    second = make_profiles(workspace, 20, 0.1, seed=5, now=NOW + timedelta(days=1))
    assert Profile.objects.count() == 40
    assert Profile.objects.filter(external_id=f"sim-{second.pk}-000001").exists()
    devices = [list(run.profiles.order_by("id").values_list("idfa", "gaid")) for run in (first, second)]
    assert devices[0] == devices[1]
    records = Profile.objects.exclude(email_record=None).values_list("email_record", flat=True)
    assert len(set(records)) == len(records)


def test_a_run_is_taken_up_where_it_was_left(workspace: Workspace, monkeypatch) -> None:
    monkeypatch.setattr(made_up, "ROWS_PER_CHUNK", 10)
    whole = make_profiles(workspace, 35, 0.2, seed=7, now=NOW, carry=MatchField.IDFA)
    run = made_up.begin(workspace, "In portions")
    visits = 1
    while not made_up.go_on(Import.objects.get(pk=run.pk), 35, 0.2, seed=7, now=NOW, carry=MatchField.IDFA, seconds=0):
        visits += 1
    run.refresh_from_db()
    assert (visits, run.state, run.rows, run.created, run.name) == (4, "done", 35, 35, "In portions")
    devices = [list(each.profiles.order_by("external_id").values_list("idfa", flat=True)) for each in (whole, run)]
    assert devices[0] == devices[1]
    assert usable(profiles_in(workspace, source_import=run), [MatchField.IDFA])[MatchField.IDFA] == 28


def test_a_share_must_be_one(workspace: Workspace) -> None:
    with pytest.raises(ValueError):
        make_profiles(workspace, 10, 1.5, seed=1, now=NOW)


def test_the_bundled_export_is_what_its_generator_writes() -> None:
    written = StringIO(newline="")
    write_sample(written)
    assert SAMPLE.read_bytes().decode("utf-8-sig") == written.getvalue()


def test_the_bundled_export_is_messy_invented_and_importable(workspace: Workspace) -> None:
    text = SAMPLE.read_text(encoding="utf-8-sig")
    assert set(re.findall(r"@([\w.-]+\w)", text.lower())) == {"example.com", "example.org"}
    run = Import.objects.create(workspace=workspace, name=SAMPLE.name)
    with SAMPLE.open("rb") as file:
        run_import(run, file, now=NOW)
    users = profiles_in(workspace)
    assert (run.state, run.rows, run.created + run.updated + run.rejected) == ("done", ROWS, ROWS)
    assert run.updated > 5
    assert run.rejected > 3
    assert 0.8 < usable(users, [EVERY_FIELD])[EVERY_FIELD] / users.count() < 0.99
    assert not users.exclude(external_id__startswith="sample-").exists()
