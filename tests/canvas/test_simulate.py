"""manage.py simulate as scripts use it, against a sandbox on a real socket."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from io import StringIO

import pytest
import requests
from django.core.management import CommandError, call_command

from canvas.models import Canvas, Move
from canvas.scenarios import scenarios
from canvas.scenarios.base import Check, Look
from integrations.models import AdAccount, Audience, Connection
from pinsync.profiles.models import Profile
from tests import material

pytestmark = pytest.mark.django_db
delivers = pytest.mark.django_db(transaction=True)  # threads of their own send

needs_the_export = pytest.mark.skipif(not material.CUSTOMERS.exists(), reason="no customers-5k.csv")
EVERY_SET = ("email", "idfa", "gaid", "email,idfa,gaid")
FIGURES = ("entered", "proceeded", "synced", "not_synced", "pending", "errored", "exited")


def simulate(*arguments: str, workspace: str = "shop", wait: bool = True) -> dict:
    """Run the command and return its JSON object, which is all that it may print."""
    output = StringIO()
    waiting = ["--wait", "--timeout", "60"] if wait else []
    call_command("simulate", "--workspace", workspace, "--json", *waiting, *arguments, stdout=output)
    return json.loads(output.getvalue())


def refused(*arguments: str, workspace: str = "shop") -> str:
    """Run the command, which must fail without printing anything else, and return its sentence."""
    output = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("simulate", "--workspace", workspace, "--json", *arguments, stdout=output)
    assert output.getvalue() == ""
    return str(caught.value)


def records_of(outcome: dict, sandbox_url: str) -> set[str]:
    """Return what the sandbox's control side lists."""
    answer = requests.get(f"{sandbox_url}_control/customer_lists/{outcome['customer_list_id']}/records", timeout=10)
    lines = answer.text.split()
    assert lines == sorted(set(lines))
    return set(lines)


def most_writes_in_a_second(sandbox) -> int:
    """Return the largest number of write requests in any window of one second."""
    times = sorted(request.time for request in sandbox.log.requests if request.category == "ads_write")
    return max((sum(start <= time < start + 1 for time in times) for start in times), default=0)


def users(number: int = 20, missing: float = 0.25) -> list[str]:
    return ["--profiles", str(number), "--missing", str(missing), "--fields", "email,idfa,gaid"]


@needs_the_export
@delivers
@pytest.mark.timed
def test_the_export_gives_the_expected_figures_and_records(shop, sandbox, listening):
    """For each set of fields, one after the other in one workspace: figures, records, and never over the limit."""
    expected = json.loads(material.EXPECTED.read_text())
    for fields in EVERY_SET:
        outcome = simulate("--csv", str(material.CUSTOMERS), "--fields", fields, "--audience", f"By {fields}")
        of_fields = expected["match_fields"][fields]
        assert (outcome["imported"], outcome["rejected"]) == (expected["profiles"], expected["rejected_rows"])
        assert {figure: outcome[figure] for figure in FIGURES} == {
            "entered": 5000,
            "proceeded": 5000,
            "synced": of_fields["synced"],
            "not_synced": of_fields["not_synced"],
            "pending": 0,
            "errored": 0,
            "exited": 5000,
        }
        records = records_of(outcome, f"{listening[1]}/")
        ours = {
            record
            for name in fields.split(",")
            for record in Profile.objects.values_list(f"{name}_record", flat=True)
            if record
        }
        assert len(records - ours) == 1  # a new list needs a record; this one matches nobody
        assert len(records & ours) == of_fields["distinct_records"]
        digest = hashlib.sha256("\n".join(sorted(records & ours)).encode()).hexdigest()
        assert digest == of_fields["records_sha256"]
    assert 0 < most_writes_in_a_second(sandbox) <= 7


@needs_the_export
@delivers
def test_the_same_file_again_gives_the_same_figures(shop, listening):
    arguments = ["--csv", str(material.CUSTOMERS), "--fields", "email", "--audience", "Again"]
    first, second = simulate(*arguments), simulate(*arguments)
    same = ("ad_account_id", "audience_id", "customer_list_id", "imported", "rejected", *FIGURES)
    assert {name: second[name] for name in same} == {name: first[name] for name in same}
    assert second["canvas_id"] != first["canvas_id"]


@delivers
def test_the_answer_has_exactly_the_promised_names(shop):
    outcome = simulate(*users(), "--audience", "Made up")
    assert list(outcome) == [
        *("canvas_id", "step_id", "ad_account_id", "audience_id", "customer_list_id", "imported", "rejected"),
        *("entered", "proceeded", "synced", "not_synced", "pending", "errored", "exited", "seconds"),
    ]
    assert (outcome["imported"], outcome["synced"], outcome["not_synced"]) == (20, 15, 5)
    canvas = Canvas.objects.get(pk=outcome["canvas_id"])
    assert (canvas.state, canvas.steps.get().pk) == (Canvas.State.ACTIVE, outcome["step_id"])
    assert list(Move.objects.filter(canvas=canvas).values_list("users", "source")) == [(20, "launch")]


@delivers
def test_removing_takes_the_records_out(shop, listening, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("external_id,email\n" + "".join(f"c{n},c{n}@example.com\n" for n in range(30)))
    arguments = ["--csv", str(file), "--fields", "email", "--audience", "Come and go"]
    added = simulate(*arguments)
    assert len(records_of(added, f"{listening[1]}/")) == 31
    removed = simulate(*arguments, "--operation", "remove")
    assert (removed["synced"], removed["customer_list_id"]) == (30, added["customer_list_id"])
    assert len(records_of(removed, f"{listening[1]}/")) == 1


@delivers
def test_an_audience_that_only_the_partner_knows_is_found_there(shop, sandbox):
    first = simulate(*users(), "--audience", "Known there")
    Audience.objects.filter(external_id=first["audience_id"]).delete()
    second = simulate(*users(), "--audience", "Known there")
    assert second["audience_id"] == first["audience_id"]


def test_without_waiting_users_are_in_and_pending(shop):
    outcome = simulate(*users(), "--audience", "Later", wait=False)
    assert {figure: outcome[figure] for figure in FIGURES} == {
        "entered": 20,
        "proceeded": 20,
        "synced": 0,
        "not_synced": 5,
        "pending": 15,
        "errored": 0,
        "exited": 20,
    }


def test_the_chosen_ad_account_is_used(shop):
    other = AdAccount.objects.filter(state=AdAccount.State.CONNECTED).order_by("external_id")[1]
    assert simulate(*users(), "--audience", "There", "--ad-account", other.external_id, wait=False)[
        "ad_account_id"
    ] == (other.external_id)
    first = AdAccount.objects.filter(state=AdAccount.State.CONNECTED).order_by("external_id")[0]
    assert simulate(*users(), "--audience", "Here", wait=False)["ad_account_id"] == first.external_id


@delivers
def test_a_file_in_which_nobody_can_be_told_apart_gives_zeros(shop, tmp_path):
    file = tmp_path / "nobody.csv"
    file.write_text("external_id,email\n,\n")
    outcome = simulate("--csv", str(file), "--fields", "email", "--audience", "Nobody")
    assert (outcome["imported"], outcome["rejected"], outcome["entered"], outcome["pending"]) == (0, 1, 0, 0)


@delivers
def test_an_outage_ends_in_the_timeout_with_the_figures(shop, sandbox):
    simulate(*users(), "--audience", "Later")
    sandbox.faults.add("outage", {"status": 503, "seconds": None, "html": False, "path": None})
    output = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(
            *("simulate", "--workspace", "shop", "--json", "--wait", "--timeout", "1", "--audience", "Later", *users()),
            stdout=output,
        )
    assert "15 users are still pending after 1 seconds" in str(caught.value)
    assert json.loads(output.getvalue())["pending"] == 15


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--audience", "A", "--csv", "/nowhere/users.csv", "--fields", "email"], "cannot be read"),
        (["--audience", "A", *users(), "--ad-account", "1"], "no ad account 1"),
        (["--audience", "A", *users()[:-1], "email,phone"], "“phone” is no field to match on"),
        (["--audience", "A", "--profiles", "5", "--missing", "1.5", "--fields", "email"], "“1.5” is no share"),
        (["--audience", "A", "--profiles", "-5", "--fields", "email"], "“-5” is no number of users"),
        (["--audience", " ", *users()], "Give the audience a name."),
        (["--audience", "x" * 300, *users()], "256 characters"),
    ],
)
def test_what_is_wrong_is_a_sentence(shop, arguments, sentence):
    assert sentence in refused(*arguments)
    assert not Canvas.objects.exists()


def test_a_file_that_is_no_csv_is_refused_with_a_sentence(shop, tmp_path):
    file = tmp_path / "users.csv"
    file.write_bytes(b"\xff\xfe\x00")
    assert "was not imported" in refused("--csv", str(file), "--fields", "email", "--audience", "A")


def test_without_a_workspace_or_a_connection_there_is_a_sentence(workspace):
    assert refused("--audience", "A", *users(), workspace="nowhere") == "There is no workspace “nowhere”."
    assert "is not connected to Pinterest" in refused("--audience", "A", *users())
    assert not Profile.objects.exists()


def test_a_token_that_died_is_noticed_and_said(shop, sandbox):
    sandbox.tokens.revoke_user(Connection.objects.get().partner_user_id)
    assert "Invalid Token" in refused("--audience", "A", *users())
    assert Connection.objects.get().state == Connection.State.BROKEN
    assert refused("--audience", "A", *users()) == "Pinterest refuses the token. Reconnect on the partner page."


def tell(*arguments: str) -> tuple[str, str]:
    """Tell a scenario; return what was printed, and the sentence with which the command failed, if it did."""
    output = StringIO()
    try:
        call_command("simulate", "--workspace", "shop", *arguments, stdout=output)
    except CommandError as problem:
        return output.getvalue(), f"{problem.returncode}: {problem}"
    return output.getvalue(), ""


@delivers
def test_a_scenario_is_told_to_its_end(shop, settings):
    settings.TICK_SECONDS = 1
    printed, problem = tell("--scenario", "first_sync", "--users", "50")
    assert problem == ""
    assert "· 50 customers are made up: 45 with an e-mail address, 5 without." in printed
    assert "✓ Both sides agree: Pinsync says 45 synced; Pinterest holds 45" in printed
    assert "4 of 4 checks hold" in printed
    assert "✗" not in printed


@delivers
def test_a_scenario_whose_check_fails_exits_with_1(shop, settings, monkeypatch):
    settings.TICK_SECONDS = 1
    wrong = Check("Two and two", "%(sum)s is not 5", lambda stage: Look(False, {"sum": 4}))
    scenario = replace(scenarios()["first_sync"], steps=(wrong,))
    monkeypatch.setitem(scenarios(), "first_sync", scenario)
    printed, problem = tell("--scenario", "first_sync")
    assert "✗ Two and two: 4 is not 5" in printed
    assert problem == "1: The story did not end well. 0 of 1 checks hold, after 0 seconds."
    printed, problem = tell("--scenario", "first_sync", "--json")
    assert json.loads(printed)["lines"][0] == {
        "mark": "bad",
        "text": "Two and two",
        "detail": "4 is not 5",
        "at": json.loads(printed)["lines"][0]["at"],
    }
    assert (json.loads(printed)["end"], json.loads(printed)["held"]) == ("failed", 0)


@delivers
def test_a_scenario_that_takes_too_long_is_cancelled_and_tidied_up(shop, sandbox, settings):
    settings.TICK_SECONDS = 1
    printed, problem = tell("--scenario", "outage", "--users", "20", "--timeout", "5")
    assert problem.startswith("1: The story was not at its end after 5 seconds.")
    assert "· Tidied up" in printed
    assert sandbox.faults.active() == []


def test_a_scenario_needs_a_connection_and_the_main_job_its_fields(workspace):
    _printed, problem = tell("--scenario", "first_sync")
    assert "is not connected to Pinterest" in problem
    assert tell("--profiles", "5", "--audience", "A")[1] == "2: --fields is needed with --csv and --profiles."
    assert tell("--profiles", "5", "--fields", "email")[1] == "2: --audience is needed with --csv and --profiles."


def test_usage_errors_exit_with_2_and_others_with_1_without_a_traceback(shop, tmp_path):
    """As a process: nothing on stdout, a sentence on stderr."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", "simulate", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=material.CLONE, timeout=60)

    wrong_usage = run("--workspace", "nowhere", "--profiles", "5", "--fields", "phone", "--audience", "A", "--json")
    assert (wrong_usage.returncode, wrong_usage.stdout) == (2, "")
    no_workspace = run("--workspace", "nowhere", *users(), "--audience", "A", "--json")
    assert (no_workspace.returncode, no_workspace.stdout) == (1, "")
    assert "Traceback" not in wrong_usage.stderr + no_workspace.stderr
