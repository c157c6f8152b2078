"""What a person chooses for themselves: theme, language, time zone; and what the browser says where they did not."""

import re
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone, translation

from pinsync.workspaces import preferences
from pinsync.workspaces.models import User
from tests.pinsync.workspaces.conftest import NOON, browser_of


def html_of(browser, path="/w/acme/"):
    return re.search(r"<html[^>]*>", browser.get(path).content.decode())[0]


def now_on(page):
    """Return the one time on the preferences page: as a program reads it, and as it stands on hover."""
    (found,) = re.findall(r'<time datetime="([^"]+)" title="([^"]+)"', page.content.decode())
    return found


def test_preferences_are_written_down_and_hold_in_every_workspace(acme, alice):
    browser = browser_of(alice)
    chosen = {"theme": "dark", "language": "ko", "time_zone": "Asia/Seoul"}
    page = browser.post("/preferences/", chosen, follow=True)
    assert page.redirect_chain == [("/preferences/", 302)]
    alice.refresh_from_db()
    assert (alice.theme, alice.language, alice.time_zone) == ("dark", "ko", "Asia/Seoul")
    assert html_of(browser) == '<html lang="ko" data-theme="dark">'
    assert page["Content-Language"] == "ko"


@pytest.mark.parametrize(
    ("field", "value"), [("theme", "pink"), ("theme", ""), ("language", "xx"), ("time_zone", "Asia/Atlantis")]
)
def test_what_there_is_not_is_refused(acme, alice, field, value):
    chosen = {"theme": "light", "language": "en", "time_zone": "UTC"} | {field: value}
    page = browser_of(alice).post("/preferences/", chosen)
    assert (page.status_code, list(page.context["form"].errors)) == (200, [field])
    alice.refresh_from_db()
    assert (alice.theme, alice.language, alice.time_zone) == ("system", "", "")


def test_the_theme_is_switched_from_the_menu_on_the_page_itself(acme, alice):
    browser = browser_of(alice)
    assert html_of(browser) == '<html lang="en" data-theme="system">'
    answer = browser.post("/preferences/theme/", {"theme": "dark"}, headers={"hx-request": "true"})
    assert (answer.status_code, answer.content) == (204, b"")
    page = browser.get("/w/acme/members/").content.decode()
    assert '<html lang="en" data-theme="dark">' in page
    assert '<meta name="color-scheme" content="dark">' in page
    assert set(re.findall(r'value="(\w+)" aria-pressed="true"', page)) == {"dark"}
    assert browser.post("/preferences/theme/", {"theme": "pink"}).status_code == 422
    assert browser.get("/preferences/theme/").status_code == 405


@pytest.mark.parametrize(
    ("back", "goes"),
    [("/w/acme/members/?x=1", "/w/acme/members/?x=1"), ("https://evil.example.com/", "/"), ("//evil.example.com", "/")],
)
def test_without_a_script_the_page_is_shown_again_and_no_other(acme, alice, back, goes):
    answer = browser_of(alice).post("/preferences/theme/", {"theme": "light", "next": back})
    assert (answer.status_code, answer["Location"]) == (302, goes)
    assert User.objects.get(pk=alice.pk).theme == "light"


def test_times_are_those_of_the_chosen_place_else_of_the_browser_else_of_the_installation(acme, alice):
    browser = browser_of(alice)
    assert now_on(browser.get("/preferences/"))[1].endswith("(UTC)")
    browser.cookies["timezone"] = "America/New_York"
    assert now_on(browser.get("/preferences/"))[1].endswith("(America/New_York)")
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Seoul")
    at, exact = now_on(browser.get("/preferences/"))
    assert (at[-6:], exact.endswith("(Asia/Seoul)")) == ("+09:00", True)


@pytest.mark.parametrize("cookie", ["Asia/Atlantis", "../../etc/passwd", "/etc/passwd", "", "Asia", "a" * 4000])
def test_a_cookie_that_names_no_zone_does_nothing(acme, alice, cookie):
    browser = browser_of(alice)
    browser.cookies["timezone"] = cookie
    assert now_on(browser.get("/preferences/"))[1].endswith("(UTC)")


def test_a_zone_that_is_no_more_and_a_language_that_is_gone_fall_back(acme, alice):
    User.objects.filter(pk=alice.pk).update(time_zone="Europe/Atlantis", language="xx")
    page = browser_of(alice).get("/preferences/", headers={"accept-language": "ko"})
    assert (page.status_code, page["Content-Language"]) == (200, "ko")


def test_the_chosen_language_outranks_the_browsers(acme, alice):
    browser = browser_of(alice)
    korean = {"headers": {"accept-language": "ko"}}
    assert browser.get("/w/acme/", **korean)["Content-Language"] == "ko"
    User.objects.filter(pk=alice.pk).update(language="en")
    assert browser.get("/w/acme/", **korean)["Content-Language"] == "en"


def test_one_request_leaves_nothing_for_the_next(acme, alice):
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Seoul", language="ko")
    browser_of(alice).get("/w/acme/")
    assert (timezone.get_current_timezone_name(), translation.get_language()) == ("UTC", "en")
    assert Client().get("/accounts/login/")["Content-Language"] == "en"


def test_who_has_no_session_costs_no_query(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Client().get("/accounts/login/").status_code == 200


def test_every_zone_to_choose_from_is_one_and_each_stands_once():
    names = [name for _area, places in preferences.places_by_area() for name, _place in places]
    assert len(names) == len(set(names)) > 300
    assert set(names) <= preferences.known_zones()
    assert ("Asia/Seoul", "Seoul") in dict(preferences.places_by_area())["Asia"]
    assert all(ZoneInfo(name).utcoffset(NOON) is not None for name in names)
