"""The audit log names what its ids stand for, of this workspace alone."""

import re

import pytest

from canvas.models import Canvas
from pinsync.profiles.models import Segment
from pinsync.workspaces import audit
from pinsync.workspaces.models import Workspace
from tests.canvas.conftest import NOON, people

pytestmark = pytest.mark.django_db


def cells(client, alice) -> list[str]:
    client.force_login(alice)
    html = client.get("/w/shop/audit/").content.decode()
    rows = re.findall(r"<tr>(.*?)</tr>", html.split("<tbody>")[1], re.S)
    return [re.findall(r"<td>(.*?)</td>", row, re.S)[1] for row in rows]


def test_an_id_is_a_name_that_leads_to_its_page(client, alice, workspace, running, audience):
    copy = Canvas.objects.create(workspace=workspace, name="Spring")
    user = people(workspace, 1).get()
    audit.record(workspace, alice, "canvas.launched", "Winter", now=NOON, canvas=running.pk)
    audit.record(workspace, alice, "canvas.duplicated", "Spring", now=NOON, canvas=copy.pk, of=running.pk)
    audit.record(workspace, alice, "delivery.retried", "Winter buyers", now=NOON, users=3, reason="record_refused")
    audit.record(workspace, alice, "delivery.retried", "u0", now=NOON, users=1, profile=user.pk)
    audit.record(workspace, alice, "ad_account.disconnected", "", now=NOON, ad_account="549")
    audit.record(workspace, None, "partner.connected", "Pinterest", now=NOON, partner_user="777")
    partner, account, profile, reason, duplicate, launch = cells(client, alice)
    here = f"/w/shop/canvas/{running.pk}/"
    assert launch == f'<a href="{here}" title="Canvas: {running.pk}">Winter</a>'
    assert f'<a href="/w/shop/canvas/{copy.pk}/" title="Canvas: {copy.pk}">Spring</a>' in duplicate
    assert f'title="copy of: {running.pk}"><a href="{here}">copy of: Winter</a>' in duplicate
    assert 'title="reason: record_refused">reason: Record Refused' in reason
    assert f'<a href="/w/shop/profiles/{user.pk}/" title="profile: {user.pk}">u0</a>' in profile
    assert '<span title="ad account: 549">Shop Korea</span>' in account
    assert 'title="partner user: 777">partner user: shop owner' in partner


def test_what_is_another_workspaces_or_gone_stays_an_id(client, alice, workspace):
    other = Workspace.objects.create(name="Other", slug="elsewhere")
    secret = Canvas.objects.create(workspace=other, name="Secret")
    theirs = Segment.objects.create(workspace=other, name="Secret too", filters={})
    audit.record(workspace, alice, "canvas.launched", "Ours", now=NOON, canvas=secret.pk)
    audit.record(workspace, alice, "segment.changed", "Ours", now=NOON, segment=theirs.pk)
    audit.record(workspace, alice, "simulator.started", "Ours", now=NOON, run=10**9, batch=10**9, audience=10**9)
    found = cells(client, alice)
    assert not re.search("Secret|href", "".join(found))
    assert f"Canvas: {secret.pk}" in found[2]
    assert f"segment: {theirs.pk}" in found[1]
    assert f"run: {10**9}" in found[0]


def test_the_log_costs_no_more_for_many_lines(client, alice, workspace, running, django_assert_max_num_queries):
    for _each in range(40):
        audit.record(workspace, alice, "canvas.changed", "Winter", now=NOON, canvas=running.pk)
        audit.record(workspace, alice, "simulator.started", "Winter", now=NOON, run=1)
    client.force_login(alice)
    with django_assert_max_num_queries(10):
        assert client.get("/w/shop/audit/").status_code == 200
