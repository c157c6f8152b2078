"""The step editor: partner, ad account, audience, operation, fields, Create Audience, Done."""

import re
from datetime import timedelta

import pytest
import responses
from django.utils import timezone

from canvas.models import Canvas, Step
from integrations.models import AdAccount, Audience, AudienceSync, Connection
from integrations.pinterest.client import ask_to_start
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import mount
from integrations.pinterest.sandbox.world import World
from tests.canvas.conftest import NOON, add

pytestmark = pytest.mark.django_db

MAPLE, MAPLE_US = "801000000000000001", "549755813101"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def sandbox(settings, connection, ad_account):
    """A sandbox without a socket, to which the shop is connected."""
    settings.PINTEREST_SANDBOX_URL = "http://127.0.0.1:8100"
    settings.PINTEREST_API_URL = "http://127.0.0.1:8100/v5"
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        world = World()
        world.begin(at=world.clock.now())
        found = Sandbox(world)
        mount(mock, found, settings.PINTEREST_SANDBOX_URL, before=ask_to_start)
        tokens = found.tokens.grant(MAPLE, ["user_accounts:read", "ads:read", "ads:write"], found.clock.now())
        Connection.objects.update(
            partner_user_id=MAPLE, access_token=tokens.access, access_expires_at=timezone.now() + timedelta(days=30)
        )
        AdAccount.objects.update(external_id=MAPLE_US)
        yield found


@pytest.fixture
def step(canvas):
    return add(canvas, "audience_sync")


@pytest.fixture
def editor(client, erin, canvas, step):
    """Open the editor, or press one of its buttons."""
    client.force_login(erin)
    url = f"/w/shop/canvas/{canvas.pk}/steps/{step.pk}/"

    def press(do=None, headers=None, **values):
        if do is None:
            return client.get(url, headers=headers or {})
        data = {"name": "Winter", "partner": "", "operation": "add", "do": do, **values}
        return client.post(url, data, headers=headers or {})

    return press


def saved():
    sync = AudienceSync.objects.select_related("audience").get()
    return sync.partner, sync.ad_account_id, sync.audience_id, sync.operation, sync.match_fields


def test_it_opens_with_the_only_partner_and_the_only_ad_account_chosen(editor, ad_account, partner):
    page = editor().content.decode()
    assert f'value="{partner.slug}" id="id_partner_0" required checked' in page
    assert f'<option value="{ad_account.pk}" selected>' in page
    assert "Choose a New or Existing Audience" in page
    order = ["Partner", "Ad account", "Choose a New or Existing Audience", "Add Users to Audience", "Fields to match"]
    assert [page.index(text) for text in order] == sorted(page.index(text) for text in order)


def test_it_is_a_page_a_dialog_or_the_content_of_one(editor, audience):
    assert "<html" in editor().content.decode()
    dialog = editor(headers={**HTMX, "HX-Target": "editor"}).content.decode()
    assert ("<html" in dialog, "<dialog" in dialog, 'id="step-editor"' in dialog) == (False, True, True)
    inner = editor(headers={**HTMX, "HX-Target": "step-editor"}).content.decode()
    assert ("<dialog" in inner, 'id="step-editor"' in inner) == (False, True)


def test_done_saves_everything_and_the_card_shows_it(editor, client, canvas, ad_account, audience, partner):
    answer = editor(
        "done",
        partner=partner.slug,
        ad_account=ad_account.pk,
        audience=audience.pk,
        audience_text="Winter buyers",
        operation="remove",
        fields_to_match=["email", "gaid"],
    )
    assert answer.url == f"/w/shop/canvas/{canvas.pk}/"
    assert saved() == (partner.slug, ad_account.pk, audience.pk, "remove", 5)
    page = client.get(answer.url).content.decode()
    for text in ("Shop Korea (549)", "Winter buyers (2542)", "Remove Users from Audience", "Email, Google Advertising"):
        assert text in page
    reopened = editor().content.decode()
    assert 'value="Winter buyers"' in reopened
    assert re.search(r'value="gaid"[^>]* checked', reopened)


def test_in_a_dialog_done_takes_the_whole_page_to_the_journey(editor, canvas, ad_account, audience, partner):
    answer = editor(
        "done",
        headers={**HTMX, "HX-Target": "step-editor"},
        partner=partner.slug,
        ad_account=ad_account.pk,
        audience_text="winter BUYERS",  # typed, not chosen from the list
        fields_to_match=["email"],
    )
    assert (answer.status_code, answer["HX-Redirect"]) == (200, f"/w/shop/canvas/{canvas.pk}/")
    assert saved() == (partner.slug, ad_account.pk, audience.pk, "add", 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"audience_text": ""}, "Choose an audience, or type the name of a new one."),
        (
            {"audience_text": "New one"},
            "There is no audience “New one” yet. Press Create Audience first, or choose another one.",
        ),
        ({"fields_to_match": []}, "Choose at least one field."),
        ({"partner": ""}, "This field is required."),
        ({"ad_account": ""}, "This field is required."),
        ({"ad_account": "999"}, "Select a valid choice."),
        ({"operation": "nonsense"}, "Select a valid choice."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_each_mistake_is_said_beside_its_field(editor, ad_account, audience, partner, changes, sentence):
    values = {
        "partner": partner.slug,
        "ad_account": ad_account.pk,
        "audience_text": "Winter buyers",
        "fields_to_match": ["email"],
    }
    answer = editor("done", **{**values, **changes})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert sentence in page
    mistakes = set(re.findall(r'id="(\w+_error)"', page))
    referred = {name for names in re.findall(r'aria-describedby="([^"]+)"', page) for name in names.split()}
    assert mistakes
    assert mistakes <= referred  # a screen reader reads it with the field
    assert saved()[0] == ""


def test_an_audience_of_another_ad_account_cannot_be_chosen(editor, connection, ad_account, audience, partner):
    other = AdAccount.objects.create(
        connection=connection, external_id="550", name="Shop US", state=AdAccount.State.CONNECTED, seen_at=NOON
    )
    values = {"partner": partner.slug, "ad_account": other.pk, "audience": audience.pk}
    answer = editor("done", audience_text="Winter buyers", fields_to_match=["email"], **values)
    assert answer.status_code == 422
    chosen = editor("choose", audience_text="Winter buyers", fields_to_match=["email"], **values).content.decode()
    assert 'name="audience_text" id="id_audience_text" value=""' in chosen
    assert re.search(r'value="email"[^>]* checked', chosen)  # what does not hang on the ad account stays
    assert saved()[0] == ""


def test_it_says_why_an_ad_account_is_missing(editor, connection, ad_account):
    for number, changes in enumerate(({"state": "available"}, {"state": "lost"}, {"may_write": False})):
        AdAccount.objects.create(
            connection=connection,
            external_id=str(number),
            name=f"Account {number}",
            seen_at=NOON,
            **{"state": "connected", **changes},
        )
    page = editor().content.decode()
    for text in ("not chosen on the partner page", "has lost access to it", "has no right to manage its audiences"):
        assert page.count(text) == 1
    assert page.count("<option") == 2  # nothing, and Shop Korea


def test_without_a_connection_it_leads_to_the_partner_page(editor, partner):
    page = editor().content.decode()
    assert f"{partner.name} is not connected." in page
    assert f'href="/w/shop/partners/{partner.slug}/"' in page
    assert "id_audience_text" not in page


def test_create_audience_makes_a_draft_that_later_steps_can_name(editor, sandbox, ad_account, partner, canvas, client):
    values = {"partner": partner.slug, "ad_account": ad_account.pk, "audience_text": "Spring 2027"}
    page = editor("create", headers={**HTMX, "HX-Target": "step-editor"}, **values).content.decode()
    made = Audience.objects.get(name="Spring 2027")
    assert (made.state, made.made_here) == ("ready", True)
    assert f"The audience “Spring 2027” was created (id {made.external_id})." in page
    assert page.index("was created") < page.index("Name of the step")
    assert saved()[:3] == (partner.slug, ad_account.pk, made.pk)  # kept even if the editor is closed now
    again = editor("done", **values, audience=made.pk, fields_to_match=["email"])
    assert again.status_code == 302
    removal = add(canvas, "audience_sync")
    options = client.get(f"/w/shop/partners/{partner.slug}/ad-accounts/{ad_account.pk}/audiences/?q=spring")
    assert "Spring 2027" in options.content.decode()
    done = client.post(
        f"/w/shop/canvas/{canvas.pk}/steps/{removal.pk}/",
        {**values, "name": "Out", "operation": "remove", "fields_to_match": ["email"], "do": "done"},
    )
    assert done.status_code == 302
    assert AudienceSync.objects.get(step=removal).audience == made


def test_a_creation_that_fails_says_why_and_what_to_do(editor, sandbox, ad_account, partner):
    Connection.objects.update(access_token="dead", refresh_token="dead")
    values = {"partner": partner.slug, "ad_account": ad_account.pk, "audience_text": "Spring 2027"}
    page = editor("create", **values).content.decode()
    assert "Failed to create audience &#x27;Spring 2027&#x27;." in page
    assert "Invalid Token" in page
    assert "Reconnect on the partner page" in page
    assert 'value="Spring 2027"' in page  # nothing that was typed is lost
    assert saved()[2] is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"audience_text": " "}, "Type the name of the new audience."),
        ({"audience_text": "Winter Buyers"}, "This audience exists already."),
        ({"ad_account": ""}, "This field is required."),
        ({"audience_text": "x" * 301}, "characters at most."),
        ({"audience_text": "Spring\0"}, "Null characters are not allowed."),
        ({"partner": "\0"}, "Select a valid choice."),
    ],
)
def test_a_creation_that_cannot_begin_calls_nobody(editor, ad_account, audience, partner, changes, sentence):
    values = {"partner": partner.slug, "ad_account": ad_account.pk, "audience_text": "Spring", **changes}
    answer = editor("create", **values)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert "Choose at least one field" not in answer.content.decode()  # that is for Done
    assert Audience.objects.count() == 1


def test_refresh_reads_the_audiences_again_and_keeps_what_was_filled_in(editor, sandbox, ad_account, partner):
    values = {"partner": partner.slug, "ad_account": ad_account.pk, "audience_text": "Spr", "fields_to_match": ["gaid"]}
    page = editor("refresh", **values).content.decode()
    assert Audience.objects.filter(ad_account=ad_account).count() == 5
    assert "5 audiences read." in page
    assert "Audiences as of" in page
    assert 'value="Spr"' in page
    Connection.objects.update(access_token="dead", refresh_token="dead")
    assert "the list is the copy from before" in editor("refresh", **values).content.decode()
    assert Audience.objects.filter(ad_account=ad_account, state="ready").count() == 5


def test_a_step_of_an_active_canvas_may_be_changed_for_those_who_arrive_later(
    editor, canvas, ad_account, audience, partner
):
    Canvas.objects.update(state=Canvas.State.ACTIVE, launched_at=NOON)
    assert "a change counts for users who arrive from now on" in editor().content.decode()
    values = {"partner": partner.slug, "ad_account": ad_account.pk, "audience_text": "Winter buyers"}
    assert editor("done", fields_to_match=["idfa"], **values).status_code == 302
    assert saved()[4] == 2


def test_creating_an_audience_never_takes_the_one_of_an_active_canvas_away(
    editor, sandbox, canvas, ad_account, partner, step
):
    audience = Audience.objects.create(ad_account=ad_account, external_id="1", target_id="2", name="Old", seen_at=NOON)
    AudienceSync.objects.update(partner=partner.slug, ad_account=ad_account, audience=audience, match_fields=1)
    Canvas.objects.update(state=Canvas.State.ACTIVE, launched_at=NOON)
    editor("create", partner=partner.slug, ad_account=ad_account.pk, audience_text="New")
    assert saved()[2] == audience.pk
    assert Step.objects.get().name == "Audience Sync"
