"""Tokens live on by themselves; a dead one is noticed at once, told once, and never used again."""

import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connections

from integrations import connecting, consenting, registry, telling, tokens
from integrations.connecting import mark_broken, with_token
from integrations.errors import NeedsReconnect, Unavailable
from integrations.models import Connection
from integrations.pinterest.sandbox.breaking import break_on_purpose
from pinsync.workspaces.models import AuditEvent, Member
from tests.helpers import refresh_due
from tests.integrations.conftest import allow

LATE = timedelta(days=21)


def me(connection, now) -> str:
    return with_token(connection, lambda token: registry.partner("pinterest").me(token).name, now)


def fresh(connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


def refreshes(wire) -> int:
    return sum("grant_type=refresh_token" in str(call.request.body) for call in wire.calls)


def test_a_token_is_refreshed_with_a_third_of_its_life_left(connection, wire, now):
    assert refresh_due(now + timedelta(days=19)) == 0
    assert refresh_due(now + timedelta(days=20)) == 1
    found = fresh(connection)
    assert found.access_token != connection.access_token
    assert found.refresh_token != connection.refresh_token
    assert found.access_expires_at == now + timedelta(days=50)
    assert found.generation == connection.generation + 1
    assert found.refresh_lease is None
    assert refreshes(wire) == 1


def test_time_alone_never_ends_a_connection(connection, sandbox, now):
    for days in range(20, 400, 20):
        sandbox.world.jump(hours=20 * 24)
        assert refresh_due(now + timedelta(days=days)) == 1
    assert me(connection, now + timedelta(days=380)) == "maple_and_moss"


def test_an_outage_at_refresh_breaks_nothing_and_is_tried_again(connection, sandbox, now):
    break_on_purpose(sandbox, "outage", {})
    assert refresh_due(now + LATE) == 0
    assert fresh(connection).state == "connected"
    sandbox.faults.clear()
    assert refresh_due(now + LATE + timedelta(seconds=29)) == 0  # not at once
    assert refresh_due(now + LATE + timedelta(seconds=31)) == 1
    assert me(connection, now) == "maple_and_moss"


@pytest.mark.parametrize("fault", ["drop_answer", "garbage"])
def test_a_lost_answer_to_a_refresh_costs_nothing(connection, sandbox, now, fault):
    break_on_purpose(sandbox, fault, {"path": "/oauth/token"})
    assert refresh_due(now + LATE) == 0
    assert refresh_due(now + LATE + timedelta(minutes=1)) == 1
    assert me(connection, now) == "maple_and_moss"


def test_a_process_killed_between_answer_and_save_costs_nothing(connection, now):
    """What it leaves: the partner has rotated, the row has the lease and the old tokens."""
    registry.partner("pinterest").refresh(connection.refresh_token)
    Connection.objects.filter(pk=connection.pk).update(
        refresh_lease="0" * 32, refresh_lease_until=now + LATE + tokens.LEASE
    )
    assert refresh_due(now + LATE + timedelta(seconds=30)) == 0
    with pytest.raises(Unavailable):
        tokens.refresh(fresh(connection), now + LATE + timedelta(seconds=30))
    assert refresh_due(now + LATE + tokens.LEASE + timedelta(seconds=1)) == 1
    assert me(connection, now) == "maple_and_moss"


def test_who_was_slow_does_not_save_over_who_took_the_lease(connection, now, monkeypatch):
    """The partner answers after the lease is over and somebody else has refreshed."""
    pinterest = registry.partner("pinterest")
    real = pinterest.refresh

    def slow(refresh_token):
        monkeypatch.setattr(pinterest, "refresh", real)
        answer = real(refresh_token)
        tokens.refresh(fresh(connection), now + tokens.LEASE + timedelta(seconds=1))
        return answer

    monkeypatch.setattr(pinterest, "refresh", slow)
    found = tokens.refresh(connection, now)
    assert found.generation == connection.generation + 1
    assert me(connection, now) == "maple_and_moss"


def test_who_comes_late_gets_what_another_saved(connection, wire, now):
    tokens.refresh(connection, now)
    found = tokens.refresh(connection, now)  # read before the first refresh
    assert found.generation == connection.generation + 1
    assert refreshes(wire) == 1


def test_a_dead_access_token_is_refreshed_once_and_the_call_repeated(connection, sandbox, wire, now):
    sandbox.tokens.revoke(connection.access_token)
    assert me(connection, now) == "maple_and_moss"
    assert refreshes(wire) == 1
    assert fresh(connection).state == "connected"


def test_an_expired_token_is_not_even_tried(connection, sandbox, wire, now):
    sandbox.world.jump(hours=31 * 24)
    assert me(connection, now + timedelta(days=31)) == "maple_and_moss"
    used = [call.request.headers["Authorization"] for call in wire.calls if call.request.url.endswith("/user_account")]
    assert used[-1:] == [f"Bearer {fresh(connection).access_token}"]
    assert used.count(f"Bearer {connection.access_token}") == 1  # when connecting


def test_a_revoked_grant_breaks_the_connection_at_the_first_401(connection, sandbox, wire, now):
    break_on_purpose(sandbox, "revoke_token", {})
    with pytest.raises(NeedsReconnect):
        me(connection, now)
    found = fresh(connection)
    assert (found.state, found.broken_code, found.broken_at) == ("broken", "invalid_token", now)
    assert AuditEvent.objects.filter(action="partner.broken").count() == 1
    before = len(wire.calls)
    with pytest.raises(NeedsReconnect):
        me(connection, now)
    assert refresh_due(now + timedelta(days=50)) == 0
    assert len(wire.calls) == before  # no call is made with a dead token


def test_a_token_that_no_key_can_read_means_reconnect(connection, wire, now, settings):
    settings.TOKEN_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
    before = len(wire.calls)
    with pytest.raises(NeedsReconnect):
        me(connection, now)
    assert fresh(connection).state == "broken"
    assert len(wire.calls) == before


def test_a_paused_connection_is_not_used_but_kept_alive(connection, wire, now):
    Connection.objects.update(paused_at=now)
    with pytest.raises(Unavailable):
        me(connection, now)
    assert refresh_due(now + LATE) == 1


def test_a_late_verdict_on_an_old_token_changes_nothing(connection, now):
    tokens.refresh(connection, now)
    assert not mark_broken(connection, "invalid_token", now)
    assert fresh(connection).state == "connected"
    assert mark_broken(fresh(connection), "invalid_token", now)
    assert not mark_broken(fresh(connection), "invalid_token", now)


def test_reconnecting_resumes(connection, sandbox, shop, alice, now):
    break_on_purpose(sandbox, "revoke_token", {})
    with pytest.raises(NeedsReconnect):
        me(connection, now)
    back = allow(sandbox, consenting.begin(shop, alice, "pinterest", "connect", now))
    authorization = consenting.come_back("pinterest", alice, state=back["state"], code=back["code"], error="", now=now)
    assert not connecting.needs_choice(authorization)
    connecting.take_over(authorization, now)
    found = fresh(connection)
    assert (found.state, found.broken_at, found.broken_code, found.notified_at) == ("connected", None, "", None)
    assert found.ad_accounts.filter(state="connected").count() == 1
    assert me(connection, now) == "maple_and_moss"


# --- telling people


def broken(connection, now) -> Connection:
    mark_broken(fresh(connection), "invalid_token", now)
    return fresh(connection)


def test_one_mail_for_each_break_to_who_connected(connection, now):
    broken(connection, now)
    assert telling.tell_of_breaks(now) == 1
    assert telling.tell_of_breaks(now) == 0
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.com"]
    assert sent.subject == "Pinterest is no longer connected to Shop"
    assert "http://127.0.0.1:8000/w/shop/partners/pinterest/" in sent.body
    assert connection.access_token not in sent.body


def test_if_that_person_is_gone_the_admins_are_told(connection, alice, dora, bob, now):
    Member.objects.filter(user=alice).delete()
    broken(connection, now)
    telling.tell_of_breaks(now)
    assert [sent.to for sent in mail.outbox] == [["dora@example.com"]]


@pytest.mark.parametrize(
    ("alices", "doras", "bobs", "told"),
    [
        ("own", "own", "own", ["alice"]),
        ("none", "own", "own", ["dora"]),  # an Admin stands in for her
        ("none", "none", "own", []),
        ("none", "none", "all", ["bob"]),
        ("own", "all", "own", ["alice", "dora"]),
        ("all", "own", "all", ["alice", "bob"]),
    ],
)
def test_members_choose_their_letters(connection, alice, dora, bob, now, alices, doras, bobs, told):
    for person, letters in ((alice, alices), (dora, doras), (bob, bobs)):
        Member.objects.filter(user=person).update(letters=letters)
    broken(connection, now)
    assert telling.tell_of_breaks(now) == 1
    assert [sent.to for sent in mail.outbox] == [[f"{name}@example.com"] for name in told]
    assert all("http://127.0.0.1:8000/w/shop/notifications/" in sent.body for sent in mail.outbox)


def test_a_second_break_is_told_again(connection, sandbox, shop, alice, now):
    broken(connection, now)
    telling.tell_of_breaks(now)
    Connection.objects.update(state="connected", broken_at=None, broken_code="")
    broken(connection, now)
    assert telling.tell_of_breaks(now) == 1
    assert len(mail.outbox) == 2


def test_a_mail_that_did_not_go_out_is_tried_again(connection, now, settings):
    broken(connection, now)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 1
    settings.EMAIL_USE_TLS = False
    assert telling.tell_of_breaks(now) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert telling.tell_of_breaks(now) == 1
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_refresh_once(connection, wire, now):
    start = threading.Barrier(8)
    seen: list[int] = []

    def one() -> None:
        mine = fresh(connection)
        start.wait()
        try:
            seen.append(tokens.refresh(mine, now).generation)
        except Unavailable:
            seen.append(-1)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refreshes(wire) == 1
    assert len(seen) == 8
    assert set(seen) <= {connection.generation + 1, -1}
    assert fresh(connection).generation == connection.generation + 1
