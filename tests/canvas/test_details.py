"""The page of one step: the audience at the partner, its size over time, and who else uses it."""

from datetime import timedelta

import pytest

from canvas import demo, details
from canvas.models import Canvas
from integrations import audiences
from integrations.models import AdAccount, Audience, AudienceSize, SyncTotals
from tests.canvas.conftest import NOON, add

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def editor(client, erin):
    client.force_login(erin)
    return client


def page(client, step):
    answer = client.get(f"/w/shop/canvas/{step.canvas_id}/steps/{step.pk}/details/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_shows_id_status_and_size_with_their_age(editor, running, audience):
    Audience.objects.update(size=4_321, status="READY")
    shown = page(editor, running.steps.get())
    for text in ("Winter buyers", "<code>2542</code>", "Ready", "4,321", 'datetime="2026-11-23T12:00:00+00:00"'):
        assert text in shown
    assert "needed" not in shown


def test_a_hidden_size_says_how_many_are_needed(editor, running, audience):
    step = running.steps.get()
    SyncTotals.objects.create(sync=step.sync, entered=50, synced=42, pending=8)
    assert "42 of about 100 needed" in page(editor, step)
    assert "42 of about 100 needed" in analytics(editor, step)
    SyncTotals.objects.update(entered=1_508, synced=1_500)
    assert "Hidden: 1,500 were accepted, and about 100 of them have to match." in page(editor, step)
    assert "Hidden: 1,500 were accepted, and about 100 of them have to match." in analytics(editor, step)
    Audience.objects.update(size=4_321)
    for shown in (page(editor, step), analytics(editor, step)):
        assert '<strong class="number">4,321</strong>' in shown


def analytics(client, step):
    return client.get(f"/w/shop/canvas/{step.canvas_id}/steps/{step.pk}/analytics/").content.decode()


def test_it_names_the_steps_that_feed_or_drain_the_same_audience(editor, running, audience, workspace, ad_account):
    step = running.steps.get()
    draining = add(running, "audience_sync", audience=audience, operation="remove")
    other = Canvas.objects.create(workspace=workspace, name="Spring")
    feeding = add(other, "audience_sync", audience=audience)
    put_away = Canvas.objects.create(workspace=workspace, name="Old", state="archived")
    add(put_away, "audience_sync", audience=audience)
    elsewhere = Audience.objects.create(
        ad_account=ad_account, external_id="9", target_id="9", name="Another", seen_at=NOON
    )
    add(other, "audience_sync", audience=elsewhere)
    found = details.neighbours(step, audience)
    assert [(one.step.pk, one.canvas.name, one.feeds) for one in found] == [
        (draining.pk, "Winter", False),
        (feeding.pk, "Spring", True),
    ]
    shown = page(editor, step)
    assert (shown.count("feeds it"), shown.count("drains it")) == (1, 1)
    assert "Old" not in shown


def test_the_number_of_queries_does_not_grow(editor, running, audience, workspace, django_assert_max_num_queries):
    for n in range(20):
        add(Canvas.objects.create(workspace=workspace, name=f"C{n}"), "audience_sync", audience=audience)
        AudienceSize.objects.create(audience=audience, at=NOON + n * DAY, size=100 + n)
    step = running.steps.get()
    page(editor, step)  # the session learns which workspace was used last
    with django_assert_max_num_queries(15):
        page(editor, step)


def test_the_trend_is_drawn_as_steps_from_the_first_size_that_was_told(editor, running, audience):
    assert details.trend([(NOON, None), (NOON + DAY, 150)]) is None
    rows = [(NOON, None), (NOON + DAY, 100), (NOON + 2 * DAY, 200), (NOON + 3 * DAY, None), (NOON + 5 * DAY, 200)]
    trend = details.trend(rows)
    assert (trend.since, trend.until) == (NOON + DAY, NOON + 5 * DAY)
    assert trend.drawing.lines[0].points == "0.0,110.0 250.0,110.0 250.0,0.0 1000.0,0.0 1000.0,0.0 1000.0,0.0"
    assert trend.rows[0] == (NOON + 5 * DAY, 200)
    for at, size in rows[:3]:
        AudienceSize.objects.create(audience=audience, at=at, size=size)
    Audience.objects.update(size=200, seen_at=NOON + 4 * DAY)
    shown = page(editor, running.steps.get())
    assert "<polyline points=" in shown
    assert "hidden" in shown


def test_a_step_of_another_kind_has_a_page_too(editor, running):
    shown = page(editor, add(running, "delay", amount=3, unit="days"))
    assert "3 days" in shown
    assert "Who else" not in shown


def test_size_and_status_are_asked_for_again(editor, shop, canvas):
    ad_account = AdAccount.objects.filter(state="connected").select_related("connection").first()
    audiences.refresh(ad_account, NOON)
    audience = Audience.objects.filter(size__isnull=False).first()
    size = audience.size
    Audience.objects.filter(pk=audience.pk).update(size=5, status="", seen_at=NOON)
    step = add(canvas, "audience_sync", audience=audience)
    url = f"/w/shop/canvas/{canvas.pk}/steps/{step.pk}/reread/"
    shown = editor.post(url, follow=True).content.decode()
    assert "Size and status are as of now." in shown
    audience.refresh_from_db()
    assert (audience.size, audience.status) == (size, "READY")
    assert list(AudienceSize.objects.values_list("size", flat=True).order_by("at")) == [5, size]
    ground = demo.playground()[1]
    ground.break_it("outage", {"seconds": "30"})
    assert "Unavailable" in editor.post(url, follow=True).content.decode()
    ground.mend()


def test_viewers_look_and_outsiders_see_nothing(client, bob, charlie, running):
    step = running.steps.get()
    client.force_login(bob)
    assert "reread" not in page(client, step)
    assert client.post(f"/w/shop/canvas/{running.pk}/steps/{step.pk}/reread/").status_code == 403
    client.force_login(charlie)
    assert client.get(f"/w/other/canvas/{running.pk}/steps/{step.pk}/details/").status_code == 404
