"""The members page: add, invite, change role, remove. The last Admin cannot go."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from pinsync.workspaces import members
from pinsync.workspaces.models import AuditEvent, Invitation, Member, Role, Workspace
from tests.pinsync.workspaces.conftest import NOON, browser_of, person


def roles(workspace):
    return dict(Member.objects.filter(workspace=workspace).values_list("user__email", "role"))


def actions(workspace):
    return list(AuditEvent.objects.filter(workspace=workspace).order_by("pk").values_list("action", flat=True))


def test_somebody_with_an_account_is_a_member_at_once_and_is_told(acme, alice, mailoutbox):
    person("dora@example.com")
    answer = browser_of(alice).post(
        "/w/acme/members/add/", {"email": "Dora@Example.com", "role": "editor"}, follow=True
    )
    assert roles(acme) == {"alice@example.com": "admin", "dora@example.com": "editor"}
    assert "dora@example.com is a member now." in answer.content.decode()
    assert [(letter.to, letter.subject) for letter in mailoutbox] == [
        (["dora@example.com"], "You were added to Acme in Pinsync")
    ]
    assert "/w/acme/" in mailoutbox[0].body
    assert actions(acme) == ["member.added"]


def test_an_unknown_address_is_invited_once_and_shown(acme, alice, mailoutbox):
    browser = browser_of(alice)
    browser.post("/w/acme/members/add/", {"email": "eve@example.com", "role": "viewer"})
    page = browser.post("/w/acme/members/add/", {"email": "eve@example.com", "role": "editor"}, follow=True)
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role) == ("eve@example.com", "editor")
    assert invitation.expires_at - timezone.now() > timedelta(days=6, hours=23)
    assert "eve@example.com" in page.content.decode()
    assert len(mailoutbox) == 2
    assert "/accounts/signup/" in mailoutbox[0].body
    assert "eve" not in str(list(AuditEvent.objects.values_list("target", "detail")))


def test_a_letter_that_cannot_be_sent_is_said(acme, alice, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 9, False
    page = browser_of(alice).post("/w/acme/members/add/", {"email": "eve@example.com", "role": "viewer"}, follow=True)
    assert "the letter could not be sent" in page.content.decode()
    assert Invitation.objects.count() == 1


def test_adding_a_member_again_is_an_error_beside_the_field(acme, alice, bob):
    page = browser_of(alice).post("/w/acme/members/add/", {"email": "bob@example.com", "role": "admin"})
    assert page.context["form"].errors == {"email": ["This person is a member already."]}
    assert roles(acme)["bob@example.com"] == "viewer"


def test_an_invitation_lets_in_once_and_only_while_it_is_good(acme, alice, charlie):
    late, good = (
        Invitation.objects.create(workspace=workspace, email="dora@example.com", role="editor", expires_at=NOON + days)
        for workspace, days in ((Workspace.objects.get(slug="other"), timedelta(0)), (acme, timedelta(seconds=1)))
    )
    dora = person("dora@example.com")
    assert members.accept_invitations(dora, NOON) == [acme]
    assert members.accept_invitations(dora, NOON) == []
    assert roles(acme)["dora@example.com"] == "editor"
    assert roles(late.workspace) == {"charlie@example.com": "admin"}
    assert not Invitation.objects.filter(pk__in=(late.pk, good.pk)).exists()


def test_an_invitation_changes_no_role_that_somebody_has(acme, bob):
    Invitation.objects.create(
        workspace=acme, email="bob@example.com", role="admin", expires_at=NOON + timedelta(days=1)
    )
    assert members.accept_invitations(bob, NOON) == []
    assert roles(acme) == {"bob@example.com": "viewer"}


def test_an_address_that_is_not_proven_opens_nothing(acme, alice):
    dora = person("dora@example.com")
    dora.emailaddress_set.update(verified=False)
    members.add(acme, "someone@example.com", Role.EDITOR, alice, NOON)
    Invitation.objects.update(email="dora@example.com")
    assert members.accept_invitations(dora, NOON) == []


def test_withdrawing_an_invitation(acme, alice):
    invitation = members.add(acme, "eve@example.com", Role.EDITOR, alice, NOON)
    browser_of(alice).post(f"/w/acme/invitations/{invitation.pk}/withdraw/")
    assert not Invitation.objects.exists()
    assert actions(acme) == ["member.invited", "invitation.withdrawn"]


def test_changing_a_role(acme, alice, bob):
    member = Member.objects.get(user=bob)
    browser = browser_of(alice)
    browser.post(f"/w/acme/members/{member.pk}/role/", {"role": "editor"})
    browser.post(f"/w/acme/members/{member.pk}/role/", {"role": "editor"})
    browser.post(f"/w/acme/members/{member.pk}/role/", {"role": "emperor"})
    assert roles(acme)["bob@example.com"] == "editor"
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.detail) == (
        "member.role_changed",
        alice,
        {"user": bob.pk, "before": "viewer", "role": "editor"},
    )


@pytest.mark.parametrize("change", ["role", "remove", "leave"])
def test_the_last_admin_cannot_go(acme, alice, bob, change):
    member = Member.objects.get(user=alice)
    address = "/w/acme/members/leave/" if change == "leave" else f"/w/acme/members/{member.pk}/{change}/"
    page = browser_of(alice).post(address, {"role": "viewer"}, follow=True)
    assert "A workspace needs an Admin: make somebody else Admin first." in page.content.decode()
    assert roles(acme) == {"alice@example.com": "admin", "bob@example.com": "viewer"}
    assert actions(acme) == []


def test_an_admin_goes_once_there_is_another(acme, alice, bob):
    members.change_role(Member.objects.get(user=bob), Role.ADMIN, alice, NOON)
    page = browser_of(alice).post("/w/acme/members/leave/", follow=True)
    assert "You left “Acme”." in page.content.decode()
    assert roles(acme) == {"bob@example.com": "admin"}
    assert browser_of(alice).get("/w/acme/").status_code == 404
    assert actions(acme) == ["member.role_changed", "member.left"]


def test_removing_a_member_shuts_them_out(acme, alice, bob):
    his = browser_of(bob)
    assert his.get("/w/acme/").status_code == 200
    browser_of(alice).post(f"/w/acme/members/{Member.objects.get(user=bob).pk}/remove/")
    assert his.get("/w/acme/").status_code == 404
    assert actions(acme) == ["member.removed"]


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_at_once_leave_one(acme, alice):
    dora = person("dora@example.com", acme, Role.ADMIN)
    start = threading.Barrier(2)
    refused = []

    def take_out(victim, actor):
        try:
            start.wait(timeout=10)
            members.remove(Member.objects.select_related("workspace").get(user=victim), actor, NOON)
        except members.MemberProblem as problem:
            refused.append(str(problem))
        finally:
            connection.close()

    threads = [threading.Thread(target=take_out, args=pair) for pair in ((alice, dora), (dora, alice))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(roles(acme).values()) == ["admin"]
    assert len(refused) == 1
