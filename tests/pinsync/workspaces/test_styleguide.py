"""The style guide: staff see every component in every state, nobody else learns that there is a page."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client

from pinsync.workspaces.models import User
from tests.pinsync.workspaces.conftest import browser_of

SHEETS = ("base.css", "forms.css", "components.css")


@pytest.fixture
def page(acme, alice):
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    return browser_of(alice).get("/styleguide/")


def test_only_staff_find_it(acme, alice, page):
    assert page.status_code == 200
    User.objects.filter(pk=alice.pk).update(is_staff=False)
    assert browser_of(alice).get("/styleguide/").status_code == 404
    assert Client().get("/styleguide/").status_code == 404


@pytest.mark.parametrize(
    "component",
    [
        'class="button primary"',
        'class="button danger" disabled',
        'class="button primary" aria-busy="true"',
        'class="tabs"',
        'class="segmented"',
        'class="table cards"',
        'class="badge good"',
        'class="banner bad"',
        'class="toast warn"',
        'class="empty"',
        'class="skeleton"',
        'class="metric card bad"',
        '<dialog id="sample-dialog"',
        '<progress id="sample-unknown"></progress>',
        'aria-invalid="true"',
        'role="option" aria-selected="false" class="active"',
    ],
)
def test_every_component_is_there(page, component):
    assert component in page.content.decode()


def test_fields_are_shown_untouched_refused_and_switched_off(page):
    forms = dict(page.context["forms"])
    assert [form.is_bound for form in forms.values()] == [False, True, False]
    assert set(forms["Refused"].errors) == {"name", "email", "role", "theme", "terms"}
    assert len(re.findall(r"<(?:input|select|textarea)[^>]*\sdisabled", page.content.decode())) >= 7


def test_what_describes_a_field_is_there(page):
    """A field that was refused refers to the sentence that says why, and a screen reader reads it with the field."""
    body = page.content.decode()
    referred = {name for names in re.findall(r'aria-describedby="([^"]+)"', body) for name in names.split()}
    assert {f"id_refused-{name}_error" for name in ("name", "email", "role", "theme", "terms")} <= referred
    assert referred <= set(re.findall(r'id="([^"]+)"', body))


def test_every_class_that_the_guide_uses_is_in_the_sheets(page):
    """A class that no sheet knows would show a component that looks like nothing."""
    css = "".join(
        Path(django_settings.BASE_DIR, "pinsync", "static", "css", name).read_text()
        for name in (*SHEETS, "styleguide.css")
    )
    body = page.content.decode()
    used = {name for names in re.findall(r'class="([^"]+)"', body[body.index("<main") :]) for name in names.split()}
    known = set(re.findall(r"\.([a-z][\w-]*)", css))
    assert used - known <= {"textarea"}
