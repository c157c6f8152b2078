"""manage.py demo_data against a sandbox on a real socket."""

import time
from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command

from canvas import demo
from canvas.analytics import figures_of
from canvas.models import Canvas
from integrations.models import AdAccount, Audience, Connection, TermsAcceptance
from pinsync.demo import EMAIL, PASSWORD
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.workspaces.models import Member, Role, User, Workspace
from tests.canvas.conftest import NOON

SECOND_RUN_SECONDS = 3


def run() -> str:
    output = StringIO()
    call_command("demo_data", stdout=output, stderr=output)
    return output.getvalue()


def counted() -> list[int]:
    kinds = (User, Workspace, Member, Connection, AdAccount, Audience, Import, Profile, Segment, Canvas)
    return [kind.objects.count() for kind in kinds]


@pytest.mark.django_db(transaction=True)
def test_the_demo_is_made_once_by_the_product_itself(sandbox, client):
    assert run() == "The demo data is there.\n"
    user = User.objects.get()
    assert (user.email, user.check_password(PASSWORD), user.is_staff, user.is_superuser) == (EMAIL, True, True, True)
    assert EmailAddress.objects.get(user=user).verified
    assert dict(Member.objects.values_list("workspace__slug", "role")) == {"demo": Role.ADMIN, "fresh": Role.ADMIN}
    connection = Connection.objects.get()
    assert (connection.workspace.slug, connection.state, connection.connected_by) == ("demo", "connected", user)
    assert TermsAcceptance.objects.get().user == user
    states = {(each.state, each.audiences_refreshed_at is None) for each in connection.ad_accounts.all()}
    assert states == {("connected", False), ("available", True)}
    assert Import.objects.get().workspace.slug == "demo"
    for canvas in Canvas.objects.all():
        first = figures_of(canvas)[0].metrics
        assert canvas.state == "active"
        assert first.entered == first.synced + first.not_synced > 100
        assert (first.pending, first.errored) == (0, 0)
        assert sandbox.world.customer_lists[canvas.steps.first().sync.audience.target_id].size() > 100
    assert [len(figures_of(canvas)) for canvas in Canvas.objects.order_by("name")] == [3, 1]

    before, started = counted(), time.monotonic()
    assert run() == "The demo data is there.\n"
    assert time.monotonic() - started < SECOND_RUN_SECONDS
    assert counted() == before


@pytest.mark.django_db
def test_what_somebody_changed_stays_as_it_is(sandbox):
    user = demo.person(EMAIL, PASSWORD)
    shop = demo.workspace("Demo", "demo", user, NOON)
    Connection.objects.create(
        workspace=shop, partner="pinterest", partner_user_id="1", state="disconnected", connected_at=NOON
    )
    Canvas.objects.create(workspace=shop, name="Mine")
    run()
    assert Connection.objects.get().state == "disconnected"
    assert [canvas.name for canvas in Canvas.objects.all()] == ["Mine"]


@pytest.mark.django_db
def test_a_lost_password_is_the_printed_one_again(sandbox):
    user = demo.person(EMAIL, PASSWORD)
    user.set_password("another")
    user.save()
    assert demo.person(EMAIL, PASSWORD).check_password(PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [("PINTEREST_APP_FROM_ENV", True), ("PINTEREST_API_URL", "https://api.pinterest.com/v5")],
)
def test_at_the_real_partner_only_person_and_workspaces_are_made(settings, name, value):
    setattr(settings, name, value)
    assert "not at Pinterest" in run()
    assert sorted(Workspace.objects.values_list("slug", flat=True)) == ["demo", "fresh"]
    assert not Connection.objects.exists()


@pytest.mark.django_db
def test_a_sandbox_that_is_away_is_a_sentence(sandbox, settings):
    settings.PINTEREST_OAUTH_URL = "http://127.0.0.1:9/oauth/"
    with pytest.raises(CommandError, match="did not do its part"):
        run()
    assert not Connection.objects.exists()
