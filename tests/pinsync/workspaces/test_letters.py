"""Settings > Notifications: each member chooses which letters about a workspace they get."""

import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import translation

from pinsync.workspaces.models import Member, User
from tests.pinsync.workspaces.conftest import browser_of

PAGE = "/w/acme/notifications/"


def letters_of(user):
    return Member.objects.get(user=user, workspace__slug="acme").letters


def test_everybody_chooses_for_themselves(acme, alice, bob):
    browser = browser_of(bob)
    page = browser.get("/w/acme/").content.decode()
    assert f'href="{PAGE}"' in page
    assert (letters_of(alice), letters_of(bob)) == ("own", "own")
    page = browser.post(PAGE, {"letters": "all"}, follow=True)
    assert page.redirect_chain == [(PAGE, 302)]
    assert page.context["form"].initial == {"letters": "all"}
    assert (letters_of(alice), letters_of(bob)) == ("own", "all")


@pytest.mark.parametrize("wrong", [{}, {"letters": "some"}])
def test_what_there_is_not_is_refused(acme, alice, wrong):
    page = browser_of(alice).post(PAGE, {"x": "y"} | wrong)
    assert (page.status_code, list(page.context["form"].errors)) == (200, ["letters"])
    assert letters_of(alice) == "own"


class Spoken(BaseEmailBackend):
    """Notes whom each letter goes to, and which language is spoken meanwhile."""

    letters: list[tuple[str, str]] = []

    def send_messages(self, messages):
        self.letters += [(letter.to[0], translation.get_language()) for letter in messages]
        return len(messages)


def test_a_letter_speaks_the_language_of_who_gets_it(acme, alice, charlie, settings):
    settings.EMAIL_BACKEND = f"{Spoken.__module__}.{Spoken.__name__}"
    Spoken.letters = []
    User.objects.filter(pk=charlie.pk).update(language="ko")
    for email in ("charlie@example.com", "eve@example.com"):
        browser_of(alice).post("/w/acme/members/add/", {"email": email, "role": "viewer"})
    assert Spoken.letters == [("charlie@example.com", "ko"), ("eve@example.com", "en")]
