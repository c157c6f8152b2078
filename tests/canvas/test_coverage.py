"""Beside each match field: how many of the users who may enter carry it."""

import re

import pytest

from canvas import previewing
from canvas.models import Canvas
from pinsync.profiles.models import Import, Profile, Segment
from tests.canvas.conftest import NOON, add, make_profile, people

pytestmark = pytest.mark.django_db
IDFA = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeee{:04d}"


@pytest.fixture
def editor(client, erin):
    client.force_login(erin)
    return client


def shown(client, canvas):
    page = client.get(f"/w/shop/canvas/{canvas.pk}/coverage/").content.decode()
    return dict(re.findall(r'id="coverage-(\w+)" hx-swap-oob="innerHTML">([^<]*)<', page))


def test_it_says_which_share_of_how_many_carry_a_field(editor, canvas, workspace):
    people(workspace, 2_502)
    Profile.objects.bulk_create(make_profile(workspace, f"d{n}", idfa=IDFA.format(n)) for n in range(498))
    assert shown(editor, canvas) == {"email": "83.4 % of 3,000", "idfa": "16.6 % of 3,000", "gaid": "0.0 % of 3,000"}


def test_it_is_of_the_target_audience(editor, canvas, workspace):
    run = Import.objects.create(workspace=workspace, name="customers.csv", state="done")
    people(workspace, 3)
    Profile.objects.filter(external_id="u1").update(last_import=run)
    Canvas.objects.update(source_import=run)
    assert shown(editor, canvas)["email"] == "100.0 % of 1"


def test_nobody_is_no_share(editor, canvas):
    assert set(shown(editor, canvas).values()) == {"nobody to enter yet"}
    assert previewing.coverage(canvas, NOON).percent("email") == 0.0


def test_rules_that_make_no_sense_show_nothing(editor, canvas, workspace):
    rule = {"field": "attribute:country", "operator": "text.nonsense", "value": "KR"}
    filters = {"match": "all", "groups": [{"match": "any", "rules": [rule]}]}
    Canvas.objects.update(segment=Segment.objects.create(workspace=workspace, name="Odd", filters=filters))
    assert editor.get(f"/w/shop/canvas/{canvas.pk}/coverage/").status_code == 204


def test_the_editor_of_a_sync_asks_for_it_once_and_keeps_it(editor, canvas):
    sync, delay = add(canvas, "audience_sync"), add(canvas, "delay")
    url = f"/w/shop/canvas/{canvas.pk}/steps/{{}}/"
    for headers in ({}, {"HX-Request": "true", "HX-Target": "editor"}):
        page = editor.get(url.format(sync.pk), headers=headers).content.decode()
        assert page.count("/coverage/") == 1
        assert page.count('hx-preserve="true"') == 3
    inner = editor.get(url.format(sync.pk), headers={"HX-Request": "true", "HX-Target": "step-editor"})
    assert "/coverage/" not in inner.content.decode()
    assert "/coverage/" not in editor.get(url.format(delay.pk)).content.decode()


def test_outsiders_see_nothing(client, charlie, canvas):
    client.force_login(charlie)
    assert client.get(f"/w/other/canvas/{canvas.pk}/coverage/").status_code == 404
