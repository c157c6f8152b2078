"""The simulator's pages as people use them, with a sandbox on a real socket."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from canvas import simulator
from canvas.models import Canvas, ScenarioRun, SimulatorRun, Step
from canvas.scenarios import running as telling
from canvas.simulator import Order
from integrations.models import AdAccount, Audience, SyncTotals
from pinsync.profiles.made_up import make_profiles
from pinsync.profiles.matching import MatchField
from pinsync.workspaces.models import Member
from tests.canvas.conftest import NOON, people
from tests.helpers import deliver

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


def test_what_was_typed_into_a_field_that_is_not_shown_is_not_looked_at(as_erin, running):
    hidden = {"number": "0", "missing_percent": "x", "per_second": "-1", "audience": "x" * 301, "ad_account": "999"}
    wanted = {"canvas": running.pk, "source": "segment", "pattern": "burst", "segment": "everybody"}
    assert as_erin.post(url("simulator_launch"), {**hidden, **wanted}).status_code == 302
    assert SimulatorRun.objects.get().source == "segment"
    form = as_erin.get(url("simulator")).content.decode().split('class="card form simulator-form')[1].split(">")[0]
    assert "novalidate" in form  # a browser stops at a field that it cannot show, and says nothing


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


def test_the_log_of_requests_and_the_limit_are_shown(as_bob, alice, shop):
    page = as_bob.get(url("simulator_traffic")).content.decode()
    assert "/audiences" in page
    assert "No write request in the last minute; the line is the limit of 7 in a second." in page
    ad_account = AdAccount.objects.filter(state=AdAccount.State.CONNECTED).first()
    simulator.fresh_canvas(
        ad_account, "Try-out", MatchField.EMAIL, user=alice, now=timezone.now()
    )  # a list, an audience
    page = as_bob.get(url("simulator_traffic")).content.decode()
    assert re.search("At most (1 write request|2 write requests) in a second of the last minute; the limit of 7", page)


def test_breaking_and_mending_the_sandbox(as_erin, shop, sandbox):
    listed = as_erin.get(url("simulator_faults")).content.decode()
    assert "Every write is answered 429" in listed
    broken = as_erin.post(url("simulator_break"), {"fault": "rate_limit", "seconds": "20", "unknown": "1"})
    assert "Every write is answered 429" in broken.content.decode()
    assert [fault.name for fault in sandbox.faults.active()] == ["rate_limit"]
    assert "429 storm" in as_erin.get(url("simulator_traffic")).content.decode()
    as_erin.post(url("simulator_mend"))
    assert sandbox.faults.active() == []


def test_a_switch_is_on_while_its_fault_lasts_and_off_ends_that_one_alone(as_erin, shop, sandbox):
    on, off = 'role="switch" aria-checked="true"', 'role="switch" aria-checked="false"'
    before = as_erin.get(url("simulator_faults")).content.decode()
    assert (before.count(on), "Pinterest’s clock jumps" in before) == (0, True)
    assert before.count(off) == 9
    for fault in ({"fault": "outage"}, {"fault": "latency", "ms": "10"}):
        switched = as_erin.post(url("simulator_break"), fault).content.decode()
    assert switched.count(on) == 2
    assert as_erin.post(url("simulator_mend"), {"fault": "outage"}).content.decode().count(on) == 1
    assert [fault.name for fault in sandbox.faults.active()] == ["latency"]


def test_all_that_is_broken_stands_in_one_list(as_erin, shop, sandbox):
    assert "Broken on purpose" not in as_erin.get(url("simulator_traffic")).content.decode()
    for fault in ({"fault": "rate_limit"}, {"fault": "latency", "ms": "10"}, {"fault": "revoke_token"}):
        as_erin.post(url("simulator_break"), fault)
    for fault in ({"fault": "refuse_record", "digest": "ann@example.com"}, {"fault": "drop_answer"}):
        as_erin.post(url("simulator_break"), fault)
    traffic = as_erin.get(url("simulator_traffic")).content.decode()
    assert len(sandbox.faults.active()) >= 3
    assert traffic.count('class="banner') == 1
    faults = traffic.split("Broken on purpose")[1].split("</ul>")[0]
    assert faults.count("<li>") == len(sandbox.faults.active())


def test_the_sandboxs_clock_jumps_at_once(as_erin, shop, sandbox):
    jumped = as_erin.post(url("simulator_break"), {"fault": "clock", "hours": "48"}).content.decode()
    assert "Jump forward in time." in jumped
    assert (sandbox.clock.jumped_hours, sandbox.faults.active()) == (48, [])


def test_our_count_stands_beside_the_sandboxs_own(as_bob, alice, shop, sandbox):
    ad_account = AdAccount.objects.filter(state=AdAccount.State.CONNECTED).first()
    canvas = simulator.fresh_canvas(ad_account, "Try-out", MatchField.EMAIL, user=alice, now=timezone.now())
    make_profiles(shop, 7, 0, seed=1, now=timezone.now(), carry=MatchField.EMAIL)
    run = simulator.start(canvas, Order("segment", "burst"), user=None, now=timezone.now())
    simulator.advance_due(timezone.now())
    address = f"{url('simulator_traffic')}?run={run.pk}"
    pk = Audience.objects.get(name="Try-out").pk
    before = as_bob.get(address).content.decode()
    assert f'id="held-{pk}" hx-swap-oob="true">0</b>' in before
    deliver()
    after = as_bob.get(address).content.decode()
    assert f'id="held-{pk}" hx-swap-oob="true">7</b>' in after
    assert f'class="verdict good" id="verdict-{pk}"' in after
    assert f'id="said-{pk}" hx-swap-oob="true">7</b>' in after
    sandbox.world.remove_audience(id=Audience.objects.get(name="Try-out").external_id, with_list=True)
    assert "deleted there" in as_bob.get(address).content.decode()


def test_a_live_part_that_has_not_changed_is_not_sent_again(as_bob, sandbox, running):
    people(running.workspace, 3)
    run = simulator.start(running, Order("segment", "burst"), user=None, now=timezone.now())
    simulator.advance_due(timezone.now())
    for address in (url("simulator_live", run.pk), f"{url('simulator_traffic')}?run={run.pk}"):
        known = as_bob.get(address)["ETag"]
        assert as_bob.get(address, headers={"If-None-Match": known}).status_code == 304
    known = as_bob.get(url("simulator_live", run.pk))["ETag"]
    SyncTotals.objects.update(synced=3, pending=0)
    assert as_bob.get(url("simulator_live", run.pk), headers={"If-None-Match": known}).status_code == 200


def test_a_fault_that_makes_no_sense_is_a_sentence(as_erin, shop, sandbox):
    def said(**asked):
        return as_erin.post(url("simulator_break"), asked).content.decode()

    assert "Milliseconds: a number from 0 to 9,999,999 is needed." in said(fault="latency", ms="soon")
    assert "Milliseconds: a number from 0 to 9,999,999 is needed." in said(fault="latency")
    page = said(fault="latency", ms="soon", path="/audiences")  # what was typed stays, and is not folded away
    assert re.findall(r'<input name="(?:ms|path)" value="(soon|/audiences)"', page) == ["soon", "/audiences"]
    assert page.count("<details open>") == 1
    assert "HTTP status: a number from 400 to 599 is needed." in said(fault="outage", status="200")
    assert "Ad account: the id of an ad account at the sandbox is needed." in said(fault="terms", ad_account_id="1")
    assert "Record: a digest, or an e-mail address" in said(fault="refuse_record", digest="Ann")
    assert "Say when to try again: true or false is needed." in said(fault="rate_limit", header="soon")
    korean = {"headers": {"accept-language": "ko"}}
    page = as_erin.post(url("simulator_break"), {"fault": "latency", "ms": "soon"}, **korean).content.decode()
    assert "밀리초: 0에서 9,999,999까지의 숫자가 필요합니다." in page
    assert "There is no such fault." in as_erin.post(url("simulator_break"), {"fault": "earthquake"}).content.decode()
    assert sandbox.faults.active() == []


def test_a_box_that_is_not_ticked_means_no(as_erin, shop, sandbox):
    as_erin.post(url("simulator_break"), {"fault": "rate_limit", "header": "true"})
    as_erin.post(url("simulator_break"), {"fault": "rate_limit"})
    assert [fault.parameters["header"] for fault in sandbox.faults.active()] == [True, False]
    page = as_erin.get(url("simulator_traffic")).content.decode()
    assert page.count("· Say when to try again") == 1


def test_a_sandbox_that_is_away_is_a_sentence(as_erin, shop, settings):
    settings.PINTEREST_SANDBOX_URL = "http://127.0.0.1:9"
    assert "does not answer" in as_erin.get(url("simulator_traffic")).content.decode()
    assert "does not answer" in as_erin.get(url("simulator_faults")).content.decode()
    assert "does not answer" in as_erin.post(url("simulator_mend")).content.decode()


def test_scenarios_are_cards_and_one_is_told_on_a_page_of_its_own(as_erin, erin, shop, bob, client):
    cards = as_erin.get(url("scenarios")).content.decode()
    assert cards.count("scenario-card") >= 6
    assert cards.count('<button class="button primary" disabled>') == 1  # the one that needs an Admin
    answer = as_erin.post(url("scenario_start"), {"scenario": "first_sync"})
    run = ScenarioRun.objects.get()
    assert (answer.status_code, answer.url) == (302, url("story", run.pk))
    page = as_erin.get(answer.url).content.decode()
    assert "First sync" in page
    assert "The story goes on within seconds." in page
    assert url("story_cancel", run.pk) in page
    telling.advance_due(timezone.now())
    live = as_erin.get(f"{url('story_live', run.pk)}?seen=0").content.decode()
    assert "1,000 customers are made up: 900 with an e-mail address, 100 without." in live
    assert 'id="pictures"' in live  # there is a Canvas now
    assert "Users enter: 0 of 1,000." in live
    assert 'id="pictures"' not in as_erin.get(f"{url('story_live', run.pk)}?seen=1").content.decode()
    traffic = f"{url('simulator_traffic')}?story={run.pk}"
    assert 'id="said-' not in as_erin.get(f"{traffic}&seen=0").content.decode()  # it has no place on that page yet
    assert 'id="said-' in as_erin.get(f"{traffic}&seen=1").content.decode()
    assert as_erin.post(url("scenario_start"), {"scenario": "rush_hour"}).url == url("scenarios")
    assert "Another scenario is running" in as_erin.get(url("scenarios")).content.decode()
    as_erin.post(url("story_cancel", run.pk))
    assert "Being cancelled" in as_erin.get(url("story", run.pk)).content.decode()
    telling.advance_due(timezone.now() + timedelta(seconds=2))
    over = as_erin.get(url("story_live", run.pk)).content.decode()
    assert "Cancelled" in over
    assert "every 2s" not in over
    client.force_login(bob)
    assert client.get(url("story", run.pk)).status_code == 200
    assert client.post(url("story_cancel", run.pk)).status_code == 403
    assert client.post(url("scenario_start"), {"scenario": "first_sync"}).status_code == 403


def test_an_editor_may_not_tell_what_needs_an_admin_nor_what_is_not_there(as_erin, shop):
    for wrong, sentence in (("dead_token", "only an Admin may do"), ("nothing", "There is no such scenario.")):
        page = as_erin.post(url("scenario_start"), {"scenario": wrong}, follow=True).content.decode()
        assert sentence in page
    assert not ScenarioRun.objects.exists()


def test_checks_that_fail_are_seen(as_bob, shop):
    told = {"step": 7, "at": NOON.isoformat(), "problem": "", "figures": {"entered": 1, "synced": 0}}
    run = ScenarioRun.objects.create(
        workspace=shop,
        scenario="first_sync",
        users=1,
        lines=[{**told, "mark": "bad"}],
        started_at=NOON,
        step_since=NOON,
        ended_at=NOON,
        finished_at=NOON,
        end="failed",
    )
    page = as_bob.get(url("story", run.pk)).content.decode()
    assert "Entered 1 = Synced 0 + Not Synced –" in page
    assert "0 of 1 checks hold" in page
    assert "A check failed" in page


def test_pages_ask_few_questions_of_the_database(as_bob, sandbox, running, django_assert_max_num_queries):
    run = simulator.start(running, Order("segment", "burst"), user=None, now=NOON)
    story = ScenarioRun.objects.create(
        workspace=running.workspace,
        scenario="outage",
        users=1,
        memory={"canvases": [running.pk]},
        started_at=NOON,
        step_since=NOON,
        next_at=NOON,
    )
    for address in (
        url("simulator"),
        url("scenarios"),
        url("simulator_run", run.pk),
        url("simulator_live", run.pk),
        f"{url('simulator_traffic')}?run={run.pk}",
        url("story", story.pk),
        url("story_live", story.pk),
    ):
        with django_assert_max_num_queries(15):
            assert as_bob.get(address).status_code == 200


def test_at_the_real_partner_nothing_can_be_broken(as_erin, shop, settings):
    settings.PINTEREST_APP_FROM_ENV = True
    traffic = as_erin.get(url("simulator_traffic")).content.decode()
    assert "talks to the real Pinterest" in traffic
    assert "hx-trigger" not in traffic
    assert "Break" not in as_erin.post(url("simulator_break"), {"fault": "outage"}).content.decode()


def test_without_a_connection_the_page_says_what_to_do_first(as_erin):
    assert "Connect Pinterest first" in as_erin.get(url("simulator")).content.decode()
