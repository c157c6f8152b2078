"""The product in Korean: the seven metrics' names, and pages, downloads and doors without an English word."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from canvas import simulator
from canvas.analytics import METRICS
from canvas.forms.canvas import SECTIONS
from canvas.models import Canvas, SimulatorRun
from integrations.models import AdAccount, Batch
from integrations.templatetags.partners import words
from pinsync.profiles.models import Profile, Segment
from pinsync.workspaces.models import Member, Role, User
from tests.canvas.conftest import *  # noqa: F403  a shop that is connected
from tests.helpers import deliver
from tests.test_translations import ATTRIBUTE, NOT_READ, SAME_EVERYWHERE, TAG

pytestmark = pytest.mark.django_db

METRICS_IN_KOREAN = {
    "Entered": "진입함",
    "Proceeded to Next Step": "다음 단계로 진행됨",
    "Users Synced": "사용자가 동기화됨",
    "Users Not Synced": "사용자가 동기화되지 않음",
    "Users Pending": "사용자가 보류 중임",
    "Users Errored": "사용자에서 오류 발생",
    "Exited Canvas": "캔버스에서 나감",
}


def test_the_seven_metrics_are_called_as_in_korean():
    with translation.override("en"):
        english = {key: str(label) for key, label in METRICS.items()}
    with translation.override("ko"):
        assert {english[key]: str(label) for key, label in METRICS.items()} == METRICS_IN_KOREAN


# What stays as it is in a Korean sentence: names, and what partners call things.
STAYS = SAME_EVERYWHERE | {"English", "UTF", "Apple", "Google", "HTTP", "Cron", "Actalike"}
# What the people of these tests and of the sandbox are called, and values that partners and files bring.
DATA = re.compile(
    r"[\w.-]+@example\.com|https?://\S+|/[\w/.-]+|(?<![a-z])Shop(?![a-z])|sim-\d+-\d+|\d+ made-up users"
    r"|maple_and_moss|Maple & Moss( US| Canada| Catalogue| Lab)?|Fern & Fable|Kestrel Outdoor|Sunday Paper Studio"
    r"|^(Owner|Admin|INITIALIZING|simulation|made_up|number)$|(?<=· )[A-Z]{3}$|external_id|email(?=이)"
)
PLACES = re.compile(r'<option value="[A-Z]\w+/[\w/+-]+"[^>]*>[^<]*</option>')  # time zones are named after them


def english(page: str) -> list[str]:
    """Return the words of a page, as it is read or read out, that are not Korean, each with what stands around it."""
    bare = NOT_READ.sub(" ", PLACES.sub(" ", page))
    read = [value for tag in TAG.findall(bare) for _name, value in ATTRIBUTE.findall(tag)]
    read += [" ".join(line.split()) for line in TAG.sub("\n", bare).split("\n")]
    return [text for text in map(unescape, read) if set(re.findall(r"[A-Za-z]{3,}", DATA.sub(" ", text))) - STAYS]


@pytest.fixture
def web(shop):
    person = User.objects.create_user("chaewon@example.com")
    Member.objects.create(workspace=shop, user=person, role=Role.ADMIN)
    client = Client(headers={"accept-language": "ko"})
    client.force_login(person)
    return client


@pytest.fixture
def busy(web, shop):
    """A Canvas made by the simulator, through which 40 users have come; four of them cannot be sent."""
    ad_account = AdAccount.objects.filter(state=AdAccount.State.CONNECTED).first()
    order = {
        "canvas": "new",
        "ad_account": ad_account.pk,
        "audience": "겨울",
        "fields_to_match": ["email"],
        "source": "made_up",
        "number": "40",
        "missing_percent": "10",
        "pattern": "burst",
        "segment": "everybody",
    }
    assert web.post(reverse("canvas:simulator_launch", args=["shop"]), order).status_code == 302
    while simulator.advance_due(timezone.now()):
        pass
    deliver()
    return Canvas.objects.get()


def test_what_is_english_on_a_page_is_found():
    page = '<p title="All of it">Pinterest 오디언스</p><b>Winter buyers &amp; co</b><code>external_id</code>'
    assert english(page) == ["All of it", "Winter buyers & co"]


def pages(shop, canvas):
    """Yield the main pages' names and addresses."""
    step, run, batch = canvas.steps.get(), SimulatorRun.objects.get(), Batch.objects.first()
    segment = Segment.objects.create(workspace=shop, name="단골")
    profile = Profile.objects.filter(workspace=shop).first()
    of_canvas = {"canvas": canvas.pk}
    of_step = {**of_canvas, "step": step.pk}
    found = [
        *((f"workspaces:{name}", {}) for name in ("home", "settings", "members", "notifications", "api_keys", "audit")),
        ("integrations:partners", {}),
        *((f"integrations:{name}", {"partner": "pinterest"}) for name in ("partner", "disconnect")),
        *((f"profiles:{name}", {}) for name in ("list", "import", "segments", "segment_new")),
        ("profiles:segment", {"segment": segment.pk}),
        ("profiles:detail", {"profile": profile.pk}),
        *((f"canvas:{name}", {}) for name in ("list", "create", "simulator", "scenarios", "simulator_traffic")),
        ("canvas:simulator_run", {"simulation": run.pk}),
        *((f"canvas:{name}", of_canvas) for name in ("detail", "summary", "analytics")),
        *(("canvas:settings", {**of_canvas, "section": section}) for section in SECTIONS),
        *((f"canvas:{name}", of_step) for name in ("step", "step_details", "step_analytics", "users", "batches")),
        ("canvas:batch", {"batch": batch.pk}),
        ("canvas:person", {"profile": profile.pk}),
    ]
    for name, where in found:
        yield name, reverse(name, kwargs={"workspace": shop.slug, **where})


def test_the_main_pages_are_korean(web, busy, shop):
    found = {}
    for name, path in pages(shop, busy):
        answer = web.get(path)
        assert answer.status_code == 200, name
        found[path] = english(answer.content.decode())
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_the_doors_are_korean(client):
    for name in ("account_login", "account_signup", "account_reset_password"):
        page = client.get(reverse(name), headers={"accept-language": "ko"}).content.decode()
        assert '<html lang="ko"' in page
        assert (name, english(page)) == (name, [])


def test_downloads_are_headed_in_the_language_that_the_person_chose(web, busy):
    """A stream begins when the request is over, and its language with it: here the browser asks for English."""
    User.objects.filter(email="chaewon@example.com").update(language="ko")
    step = busy.steps.get()
    for name, where in (
        ("download_figures", {"canvas": busy.pk}),
        ("download_minutes", {"canvas": busy.pk}),
        ("download_history", {"canvas": busy.pk, "step": step.pk}),
    ):
        path = reverse(f"canvas:{name}", kwargs={"workspace": "shop", "form": "csv", **where})
        answer = web.get(path, headers={"accept-language": "en"})
        heading = b"".join(answer.streaming_content).decode().splitlines()[0]
        assert english(heading) == [], name
        assert "사용자가 동기화됨" in heading


def test_what_a_partner_says_in_constants_is_said_in_words():
    with translation.override("ko"):
        assert [words("TOO_SMALL"), words("AUDIENCE_MANAGER")] == ["너무 작음", "오디언스 관리자"]
        assert words("PROFILE_PUBLISHER") == "Profile publisher"  # of one partner alone
