"""To the consent page and back: a state is used once, in ten minutes, by the person who began."""

from datetime import timedelta

import pytest

from integrations import connecting, consenting
from integrations.models import AdAccount, Audience, AudienceSync, Authorization, Connection
from integrations.pinterest.sandbox.breaking import break_on_purpose
from pinsync.workspaces.models import AuditEvent, Member
from tests.integrations.conftest import allow, connect

PINTEREST = "pinterest"


def begin(workspace, person, now, purpose="connect"):
    return consenting.begin(workspace, person, PINTEREST, purpose, now)


def come_back(person, back, now):
    return consenting.come_back(
        PINTEREST, person, state=back.get("state", ""), code=back.get("code", ""), error=back.get("error", ""), now=now
    )


def problem_of(person, back, now) -> str:
    with pytest.raises(consenting.ConsentProblem) as caught:
        come_back(person, back, now)
    assert str(caught.value)
    return caught.value.code


def nothing_is_connected() -> bool:
    return not Connection.objects.exists() and not AdAccount.objects.exists()


def test_connecting_takes_consent_and_a_choice(sandbox, shop, alice, now):
    back = allow(sandbox, begin(shop, alice, now))
    authorization = come_back(alice, back, now)
    assert nothing_is_connected()
    assert connecting.needs_choice(authorization)
    us, canada = [info.id for info in consenting.infos(authorization) if info.name.startswith("Maple & Moss")][:2]
    connection = connecting.complete(authorization, [us, canada], now)
    assert (connection.state, connection.partner_user_name) == ("connected", "maple_and_moss")
    assert connection.access_expires_at == now + timedelta(days=30)
    states = dict(connection.ad_accounts.values_list("external_id", "state"))
    assert (states[us], states[canada]) == ("connected", "connected")
    assert list(states.values()).count("available") == len(states) - 2
    authorization.refresh_from_db()
    assert (authorization.access_token, authorization.refresh_token) == ("", "")
    assert [event.action for event in AuditEvent.objects.order_by("id")] == [
        "ad_accounts.connected",
        "partner.connected",
    ]


def test_a_state_works_once(sandbox, shop, alice, now):
    back = allow(sandbox, begin(shop, alice, now))
    come_back(alice, back, now)
    assert problem_of(alice, back, now) == "used"


def test_a_state_lives_ten_minutes(sandbox, shop, alice, now):
    back = allow(sandbox, begin(shop, alice, now))
    assert problem_of(alice, back, now + timedelta(minutes=10)) == "expired"
    back = allow(sandbox, begin(shop, alice, now))
    come_back(alice, back, now + timedelta(minutes=9, seconds=59))


def test_a_state_belongs_to_the_person_who_began(sandbox, shop, alice, dora, now):
    back = allow(sandbox, begin(shop, alice, now))
    assert problem_of(dora, back, now) == "other_person"
    come_back(alice, back, now)  # and is not used up by somebody else's try


def test_a_state_that_nobody_gave_out_is_refused(sandbox, alice, now):
    assert problem_of(alice, {"state": "made-up", "code": "x"}, now) == "unknown_state"
    assert problem_of(alice, {"code": "x"}, now) == "unknown_state"


def test_who_is_no_admin_any_more_cannot_finish(sandbox, shop, alice, now):
    back = allow(sandbox, begin(shop, alice, now))
    Member.objects.filter(user=alice).update(role="editor")
    assert problem_of(alice, back, now) == "not_admin"


def test_only_a_digest_of_the_state_is_kept(shop, alice, now):
    url = begin(shop, alice, now)
    state = url.split("state=")[1].split("&")[0]
    assert len(state) >= 40
    assert state not in Authorization.objects.get().state_digest


def test_cancelling_is_a_normal_outcome(sandbox, shop, alice, now):
    back = allow(sandbox, begin(shop, alice, now), decision="cancel")
    assert problem_of(alice, back, now) == "cancelled"
    assert nothing_is_connected()


def test_missing_scopes_are_named_and_what_was_given_is_taken_back(sandbox, shop, alice, now):
    back = allow(sandbox, begin(shop, alice, now), scope=["ads:read"])
    with pytest.raises(consenting.ConsentProblem) as caught:
        come_back(alice, back, now)
    assert caught.value.code == "missing_scopes"
    assert "ads:write, user_accounts:read" in str(caught.value)
    assert sandbox.tokens.grants == {}
    assert nothing_is_connected()


def test_a_person_without_ad_accounts_gets_a_sentence_of_their_own(sandbox, shop, alice, now):
    for ad_account in sandbox.world.ad_accounts:
        break_on_purpose(sandbox, "remove_ad_account_access", {"ad_account_id": ad_account})
    assert problem_of(alice, allow(sandbox, begin(shop, alice, now)), now) == "no_ad_accounts"
    assert nothing_is_connected()


@pytest.mark.parametrize("path", ["/oauth/token", "/user_account", "/ad_accounts"])
def test_an_outage_at_any_point_saves_nothing(sandbox, shop, alice, now, path):
    back = allow(sandbox, begin(shop, alice, now))
    break_on_purpose(sandbox, "outage", {"path": path})
    assert problem_of(alice, back, now) == "unavailable"
    assert nothing_is_connected()
    assert Authorization.objects.get().partner_user_id == ""


def test_a_refused_code_has_its_own_sentence(sandbox, shop, alice, now):
    back = allow(sandbox, begin(shop, alice, now))
    assert problem_of(alice, {**back, "code": "wrong"}, now) == "exchange_refused"


def test_at_least_one_usable_ad_account_is_chosen(sandbox, shop, alice, now):
    authorization = come_back(alice, allow(sandbox, begin(shop, alice, now)), now)
    readable = next(info.id for info in consenting.infos(authorization) if not info.may_write)
    for chosen in ([], [readable], ["549755813108"]):  # none, one without rights, one of somebody else
        with pytest.raises(connecting.CannotConnect):
            connecting.complete(authorization, chosen, now)
    assert nothing_is_connected()


def test_confirming_twice_connects_once(sandbox, shop, alice, now):
    authorization = come_back(alice, allow(sandbox, begin(shop, alice, now)), now)
    chosen = [info.id for info in consenting.infos(authorization) if info.may_write]
    connecting.complete(authorization, chosen, now)
    with pytest.raises(connecting.CannotConnect):
        connecting.complete(authorization, chosen, now)
    assert Connection.objects.get().generation == 1


def test_an_abandoned_consent_is_taken_back(sandbox, shop, alice, now):
    authorization = come_back(alice, allow(sandbox, begin(shop, alice, now)), now)
    consenting.abandon(authorization, now)
    assert sandbox.tokens.grants == {}
    assert consenting.waiting(shop, alice, PINTEREST, authorization.pk, now) is None


def test_a_consent_that_is_never_confirmed_is_forgotten_within_the_hour(sandbox, shop, alice, dora, now):
    authorization = come_back(alice, allow(sandbox, begin(shop, alice, now)), now)
    assert consenting.waiting(shop, alice, PINTEREST, authorization.pk, now) == authorization
    assert consenting.waiting(shop, dora, PINTEREST, authorization.pk, now) is None
    later = now + timedelta(hours=1)
    assert consenting.waiting(shop, alice, PINTEREST, authorization.pk, later) is None
    assert consenting.forget_old(later) == 1
    assert not Authorization.objects.exists()


# --- another person takes over


def in_use(connection, audience_id: str, name: str = "Winter buyers") -> Audience:
    ad_account = connection.ad_accounts.get(state="connected")
    audience = Audience.objects.create(
        ad_account=ad_account, external_id=audience_id, target_id="643", name=name, seen_at=connection.connected_at
    )
    AudienceSync.objects.create(
        workspace=connection.workspace, partner=PINTEREST, ad_account=ad_account, audience=audience, match_fields=1
    )
    return audience


def hand_over(sandbox, shop, person, now, pinterest_user="northwind_media"):
    back = allow(sandbox, begin(shop, person, now, "change"), pinterest_user=pinterest_user)
    authorization = come_back(person, back, now)
    assert not connecting.needs_choice(authorization)
    return connecting.take_over(authorization, now)


def test_another_person_takes_over_without_touching_a_step(sandbox, shop, connection, dora, now):
    audience = in_use(connection, sandbox.world.audiences_of("549755813101")[0].id)
    taken = hand_over(sandbox, shop, dora, now)
    assert (taken.pk, taken.partner_user_name, taken.connected_by) == (connection.pk, "northwind_media", dora)
    assert AudienceSync.objects.get().audience == audience
    assert taken.ad_accounts.get(state="connected") == audience.ad_account
    assert len(sandbox.tokens.grants) == 1  # the former person's was taken back


def test_who_does_not_reach_everything_in_use_cannot_take_over(sandbox, shop, alice, dora, now):
    connection = connect(sandbox, shop, alice, now, "Maple & Moss Lab")
    in_use(connection, sandbox.world.audiences_of("549755813107")[0].id)
    before = connection.access_token
    with pytest.raises(connecting.WouldLose) as caught:
        hand_over(sandbox, shop, dora, now)
    assert [(one.kind, one.name) for one in caught.value.missing] == [("ad account", "Maple & Moss Lab")]
    connection.refresh_from_db()
    assert (connection.partner_user_name, connection.access_token) == ("maple_and_moss", before)


def test_an_audience_in_use_that_the_new_person_does_not_find_is_named(sandbox, shop, connection, dora, now):
    in_use(connection, "999", "Vanished")
    with pytest.raises(connecting.WouldLose) as caught:
        hand_over(sandbox, shop, dora, now)
    assert [(one.kind, one.name) for one in caught.value.missing] == [("audience", "Vanished")]


def test_an_outage_while_checking_is_not_read_as_missing(sandbox, shop, connection, dora, now):
    in_use(connection, sandbox.world.audiences_of("549755813101")[0].id)
    back = allow(sandbox, begin(shop, dora, now, "change"), pinterest_user="northwind_media")
    authorization = come_back(dora, back, now)
    break_on_purpose(sandbox, "outage", {"path": "/audiences/"})
    with pytest.raises(connecting.CannotConnect) as caught:
        connecting.take_over(authorization, now)
    assert not isinstance(caught.value, connecting.WouldLose)
    connection.refresh_from_db()
    assert connection.partner_user_name == "maple_and_moss"


# --- disconnecting


def test_disconnecting_forgets_and_takes_back_the_tokens(sandbox, shop, connection, alice, now):
    assert connecting.disconnect(connection, alice, now)
    connection.refresh_from_db()
    assert (connection.state, connection.access_token, connection.refresh_token) == ("disconnected", "", "")
    assert not connection.ad_accounts.exclude(state="available").exists()
    assert sandbox.tokens.grants == {}


def test_a_partner_that_does_not_answer_stops_no_disconnect(sandbox, connection, alice, now):
    break_on_purpose(sandbox, "outage", {})
    assert not connecting.disconnect(connection, alice, now)
    connection.refresh_from_db()
    assert (connection.state, connection.access_token) == ("disconnected", "")


def test_connecting_again_uses_the_same_rows(sandbox, shop, connection, alice, now):
    audience = in_use(connection, sandbox.world.audiences_of("549755813101")[0].id)
    connecting.disconnect(connection, alice, now)
    again = connect(sandbox, shop, alice, now)
    assert again.pk == connection.pk
    assert again.ad_accounts.get(state="connected") == audience.ad_account
