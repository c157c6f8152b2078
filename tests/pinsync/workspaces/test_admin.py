"""Staff in the Django admin: look into everything, change through the product's own functions."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from pinsync.workspaces import audit
from pinsync.workspaces.keys import create_key
from pinsync.workspaces.models import ApiKey, AuditEvent, Invitation, Member, Role, User
from tests.pinsync.workspaces.conftest import NOON, PASSWORD, browser_of, person


@pytest.fixture
def staff(db):
    user = person("staff@example.com")
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    return browser_of(user)


def run(browser, model, action, *things):
    data = {"action": action, "_selected_action": [thing.pk for thing in things]}
    return browser.post(f"/admin/workspaces/{model}/", data, follow=True)


@pytest.mark.parametrize("path", ["user", "workspace", "member", "invitation", "apikey", "auditevent"])
def test_every_list_can_be_searched(acme, alice, staff, path):
    audit.record(acme, alice, "canvas.launched", now=NOON)
    Invitation.objects.create(workspace=acme, email="eve@example.com", role="viewer", expires_at=NOON)
    create_key(acme, "Web shop", Role.EDITOR, alice, NOON)
    for search in ("", "acme", "alice@example.com", "1"):
        assert staff.get(f"/admin/workspaces/{path}/", {"q": search}).status_code == 200


def test_a_person_is_found_by_address(alice, staff):
    page = staff.get("/admin/workspaces/user/", {"q": "alice@"})
    assert [user.email for user in page.context["cl"].result_list] == ["alice@example.com"]


def test_a_person_made_by_staff_proves_the_address_before_coming_in(staff, mailoutbox):
    form = {"email": "Dora@Example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    staff.post("/admin/workspaces/user/add/", form)
    assert User.objects.filter(email="dora@example.com").exists()
    answer = Client().post("/accounts/login/", {"login": "dora@example.com", "password": PASSWORD})
    assert answer["Location"] == "/accounts/confirm-email/"
    assert mailoutbox[0].to == ["dora@example.com"]


def test_people_are_closed_not_deleted(alice, staff):
    assert staff.get(f"/admin/workspaces/user/{alice.pk}/delete/").status_code == 403
    page = staff.get(f"/admin/workspaces/user/{alice.pk}/change/")
    assert 'name="email"' not in page.content.decode()


def test_history_and_keys_cannot_be_forged(acme, alice, staff):
    event = audit.record(acme, alice, "canvas.launched", now=NOON)
    for path in ("auditevent/add/", f"auditevent/{event.pk}/delete/", "apikey/add/", "member/add/", "workspace/add/"):
        assert staff.get(f"/admin/workspaces/{path}").status_code == 403
    assert staff.post(f"/admin/workspaces/auditevent/{event.pk}/change/", {"action": "x"}).status_code == 403


def test_a_key_is_revoked_and_its_digest_never_shown(acme, alice, staff):
    key, _secret = create_key(acme, "Web shop", Role.EDITOR, alice, NOON)
    assert key.digest not in staff.get(f"/admin/workspaces/apikey/{key.pk}/change/").content.decode()
    assert "1 key revoked." in run(staff, "apikey", "revoke", key).content.decode()
    assert ApiKey.objects.get().revoked_at is not None
    assert AuditEvent.objects.latest("pk").actor.email == "staff@example.com"


def test_members_are_changed_by_the_rules_of_the_members_page(acme, alice, bob, staff):
    admin, viewer = Member.objects.get(user=alice), Member.objects.get(user=bob)
    assert "A workspace needs an Admin" in run(staff, "member", "take_out", admin).content.decode()
    run(staff, "member", "make_admin", viewer)
    run(staff, "member", "take_out", admin)
    assert list(Member.objects.values_list("user__email", "role")) == [("bob@example.com", "admin")]
    assert list(AuditEvent.objects.values_list("action", flat=True)) == ["member.role_changed", "member.removed"]


def test_staff_who_may_only_look_have_no_actions(acme, alice):
    key, _secret = create_key(acme, "Web shop", Role.EDITOR, alice, NOON)
    watcher = person("watcher@example.com")
    User.objects.filter(pk=watcher.pk).update(is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_apikey"))
    browser = browser_of(watcher)
    assert browser.get("/admin/workspaces/apikey/").status_code == 200
    run(browser, "apikey", "revoke", key)
    assert ApiKey.objects.get().revoked_at is None


def test_the_admin_is_for_staff_who_came_in_by_the_front_door(acme, alice):
    assert Client().get("/admin/")["Location"].startswith("/admin/login/")
    assert Client().get("/admin/login/")["Location"].startswith("/accounts/login/")
    assert browser_of(alice).get("/admin/login/").status_code == 403
