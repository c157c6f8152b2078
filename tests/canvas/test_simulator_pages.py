"""The simulator's pages as people use them, with a sandbox on a real socket."""

import pytest
from django.urls import reverse

from canvas import simulator
from canvas.models import Canvas, SimulatorRun, Step
from canvas.simulator import Order
from integrations.models import AdAccount
from pinsync.workspaces.models import Member
from tests.canvas.conftest import NOON, people

pytestmark = pytest.mark.django_db

BURST = {"source": "made_up", "number": "30", "missing_percent": "10", "pattern": "burst", "segment": "everybody"}


def url(name, *args):
    return reverse(f"canvas:{name}", args=["shop", *args])


@pytest.fixture
def as_erin(client, erin):
    client.force_login(erin)
    return client


@pytest.fixture
def as_bob(client, bob):
    client.force_login(bob)
    return client


def test_launching_into_a_canvas_leads_to_the_run(as_erin, running):
    answer = as_erin.post(url("simulator_launch"), {**BURST, "canvas": running.pk})
    run = SimulatorRun.objects.get()
    assert (answer.status_code, answer.url) == (302, url("simulator_run", run.pk))
    assert (run.canvas, run.source, run.number, run.missing_percent, run.per_second) == (running, "made_up", 30, 10, 0)
    page = as_erin.get(answer.url).content.decode()
    assert "30 made-up users" in page
    assert "The users are being made" in page


def test_a_new_canvas_is_made_on_the_spot(as_erin, erin, shop):
    ad_account = AdAccount.objects.filter(state=AdAccount.State.CONNECTED).first()
    wanted = {"canvas": "new", "ad_account": ad_account.pk, "audience": "Try-out", "fields_to_match": ["email", "idfa"]}
    answer = as_erin.post(url("simulator_launch"), {**BURST, **wanted, "pattern": "steady", "per_second": "7"})
    assert answer.status_code == 302
    canvas = Canvas.objects.get()
    step = Step.objects.get(canvas=canvas)
    assert (canvas.state, canvas.entry_kind, canvas.reentry) == ("active", "api", True)
    assert (step.sync.audience.name, step.sync.match_fields) == ("Try-out", 3)
    assert SimulatorRun.objects.get().per_second == 7


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"number": ""}, "Say how many users to make up."),
        ({"number": "100001"}, "100000"),
        ({"missing_percent": "101"}, "100"),
        ({"pattern": "spikes", "per_second": ""}, "Say how many users come per second."),
        ({"canvas": "999"}, "Select a valid choice"),
        ({"canvas": "new"}, "Select a valid choice"),  # not connected
    ],
)
def test_what_is_wrong_is_said_beside_its_field(as_erin, running, changes, sentence):
    Canvas.objects.filter(pk=running.pk).update(name="Winter")
    if changes.get("canvas") == "new":
        AdAccount.objects.update(state=AdAccount.State.AVAILABLE)
    answer = as_erin.post(url("simulator_launch"), {**BURST, "canvas": running.pk, **changes})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not SimulatorRun.objects.exists()


def test_fields_that_are_not_needed_are_not_looked_at(as_erin, running):
    order = {"canvas": running.pk, "source": "segment", "segment": "everybody", "pattern": "burst", "audience": ""}
    assert as_erin.post(url("simulator_launch"), order).status_code == 302


def test_an_audience_that_cannot_be_made_is_said_in_the_form(as_erin, shop, sandbox):
    sandbox.faults.add("outage", {"status": 503, "seconds": None, "html": False, "path": None})
    ad_account = AdAccount.objects.filter(state=AdAccount.State.CONNECTED).first()
    wanted = {"canvas": "new", "ad_account": ad_account.pk, "audience": "Try-out", "fields_to_match": ["email"]}
    answer = as_erin.post(url("simulator_launch"), {**BURST, **wanted})
    assert answer.status_code == 422
    assert "Pinterest Unavailable" in answer.content.decode()
    assert not Canvas.objects.exists()


def test_the_live_part_polls_while_the_run_goes_on(as_erin, running):
    people(running.workspace, 3)
    run = simulator.start(running, Order("segment", "steady", per_second=1), user=None, now=NOON)
    assert 'hx-trigger="every 2s"' in as_erin.get(url("simulator_live", run.pk)).content.decode()
    as_erin.post(url("simulator_stop", run.pk))
    over = as_erin.get(url("simulator_live", run.pk)).content.decode()
    assert "hx-trigger" not in over
    assert "Stopped" in over


def test_a_viewer_watches_and_changes_nothing(as_bob, running):
    run = simulator.start(running, Order("segment", "burst"), user=None, now=NOON)
    assert "Launch journey" not in as_bob.get(url("simulator")).content.decode()
    page = as_bob.get(url("simulator_run", run.pk)).content.decode()
    assert url("simulator_stop", run.pk) not in page
    assert url("simulator_faults") not in page
    for name in ("simulator_launch", "simulator_break", "simulator_mend"):
        assert as_bob.post(url(name)).status_code == 403
    assert as_bob.post(url("simulator_stop", run.pk)).status_code == 403


def test_a_run_of_another_workspace_is_not_there(client, charlie, running):
    run = simulator.start(running, Order("segment", "burst"), user=None, now=NOON)
    client.force_login(charlie)
    assert client.get(reverse("canvas:simulator_run", args=["other", run.pk])).status_code == 404
    assert Member.objects.filter(user=charlie, workspace__slug="other").exists()


def test_the_log_of_requests_and_the_limit_are_shown(as_bob, shop):
    page = as_bob.get(url("simulator_traffic")).content.decode()
    assert "/audiences" in page
    assert "the limit of 7 is the line" in page


def test_breaking_and_mending_the_sandbox(as_erin, shop, sandbox):
    listed = as_erin.get(url("simulator_faults")).content.decode()
    assert "Every write is answered 429" in listed
    broken = as_erin.post(url("simulator_break"), {"fault": "rate_limit", "seconds": "20", "unknown": "1"})
    assert "Every write is answered 429" in broken.content.decode()
    assert [fault.name for fault in sandbox.faults.active()] == ["rate_limit"]
    assert "rate_limit" in as_erin.get(url("simulator_traffic")).content.decode()
    as_erin.post(url("simulator_mend"))
    assert sandbox.faults.active() == []


def test_a_fault_that_makes_no_sense_is_a_sentence(as_erin, shop, sandbox):
    assert (
        "ms is not a number"
        in as_erin.post(url("simulator_break"), {"fault": "latency", "ms": "soon"}).content.decode()
    )
    assert "There is no such fault." in as_erin.post(url("simulator_break"), {"fault": "earthquake"}).content.decode()
    assert sandbox.faults.active() == []


def test_a_sandbox_that_is_away_is_a_sentence(as_erin, shop, settings):
    settings.PINTEREST_SANDBOX_URL = "http://127.0.0.1:9"
    assert "does not answer" in as_erin.get(url("simulator_traffic")).content.decode()
    assert "does not answer" in as_erin.get(url("simulator_faults")).content.decode()
    assert "does not answer" in as_erin.post(url("simulator_mend")).content.decode()


def test_at_the_real_partner_nothing_can_be_broken(as_erin, shop, settings):
    settings.PINTEREST_APP_FROM_ENV = True
    traffic = as_erin.get(url("simulator_traffic")).content.decode()
    assert "talks to the real Pinterest" in traffic
    assert "hx-trigger" not in traffic
    assert "Break" not in as_erin.post(url("simulator_break"), {"fault": "outage"}).content.decode()


def test_without_a_connection_the_page_says_what_to_do_first(as_erin):
    assert "Connect Pinterest first" in as_erin.get(url("simulator")).content.decode()
