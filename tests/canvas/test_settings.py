"""The settings of a Canvas: a row of sections, each saved by itself, as one goes."""

from datetime import UTC, datetime, timedelta

import pytest

from canvas import launching, recurring, saying
from canvas.models import Canvas
from pinsync.profiles.models import Import, Segment
from pinsync.workspaces.models import AuditEvent, Workspace
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def editor(client, erin):
    client.force_login(erin)
    return client


def url(canvas, section):
    return f"/w/shop/canvas/{canvas.pk}/settings/{section}/"


def fresh(canvas):
    return Canvas.objects.get(pk=canvas.pk)


def test_a_canvas_begins_with_its_name_and_goes_through_the_sections_in_order(editor, workspace, erin):
    assert "Basics" in editor.get("/w/shop/canvas/new/").content.decode()
    answer = editor.post("/w/shop/canvas/new/", {"name": "Spring", "description": "d", "tags": "a, b,a"})
    canvas = Canvas.objects.get()
    assert answer.url == url(canvas, "schedule")
    assert (canvas.name, canvas.tags, canvas.state, canvas.created_by) == ("Spring", ["a", "b"], "draft", erin)
    assert AuditEvent.objects.filter(action="canvas.created", actor=erin).count() == 1
    segment = Segment.objects.create(workspace=workspace, name="Loyal")
    for section, values, following in (
        ("schedule", {"entry_kind": "event", "event_name": "purchase"}, url(canvas, "target")),
        ("target", {"target": f"segment:{segment.pk}"}, url(canvas, "send")),
        ("send", {"reentry": "on", "reentry_days": "7"}, f"/w/shop/canvas/{canvas.pk}/"),
    ):
        page = editor.get(url(canvas, section)).content.decode()
        assert page.count('aria-current="step"') == 1
        assert editor.post(url(canvas, section), values).url == following
    canvas = fresh(canvas)
    assert (canvas.entry_kind, canvas.event_name, canvas.segment) == ("event", "purchase", segment)
    assert (canvas.reentry, canvas.reentry_days, canvas.name) == (True, 7, "Spring")
    names = ["Basics", "Entry Schedule", "Target Audience", "Send Settings", "Build", "Summary"]
    page = editor.get(f"/w/shop/canvas/{canvas.pk}/").content.decode()
    places = [page.index(f">{name}</a>") for name in names]
    assert places == sorted(places)


def test_a_draft_without_a_name_is_not_begun_and_keeps_what_was_typed(editor):
    answer = editor.post("/w/shop/canvas/new/", {"name": "", "description": "for spring", "tags": "a"})
    assert answer.status_code == 422
    assert "for spring" in answer.content.decode()
    assert not Canvas.objects.exists()


def test_a_section_saves_itself_and_nothing_else(editor, canvas, workspace):
    run = Import.objects.create(workspace=workspace, name="customers.csv", state="done")
    Canvas.objects.update(reentry=True, event_name="visit", description="d")
    editor.post(url(canvas, "target"), {"target": f"import:{run.pk}"})
    canvas = fresh(canvas)
    assert (canvas.source_import, canvas.segment, canvas.reentry, canvas.event_name) == (run, None, True, "visit")
    editor.post(url(canvas, "target"), {"target": "everybody"})
    assert fresh(canvas).source_import is None


def test_every_change_of_a_draft_is_sent_and_answered(editor, canvas):
    page = editor.get(url(canvas, "basics")).content.decode()
    assert f'hx-post="{url(canvas, "basics")}" hx-trigger="change' in page
    assert " novalidate>" in page  # else htmx keeps what is not valid to itself, under “Saved at …”
    answer = editor.post(url(canvas, "basics"), {"name": "Winter sale", "tags": ""}, headers=HTMX)
    assert answer.status_code == 200
    assert "Saved at" in answer.content.decode()
    assert "<form" not in answer.content.decode()  # what is being typed elsewhere stays
    assert fresh(canvas).name == "Winter sale"
    wrong = editor.post(url(canvas, "basics"), {"name": "", "tags": ""}, headers=HTMX)
    assert wrong.status_code == 422
    assert "Not saved yet: Name: This field is required." in " ".join(wrong.content.decode().split()).replace(
        "</svg>", ""
    ).replace("  ", " ")
    assert fresh(canvas).name == "Winter sale"


def test_changes_in_a_row_are_one_line_of_the_audit_log(editor, canvas, client, alice):
    for name in ("A", "B", "C"):
        editor.post(url(canvas, "basics"), {"name": name, "tags": ""}, headers=HTMX)
    assert AuditEvent.objects.filter(action="canvas.changed").count() == 1
    client.force_login(alice)
    client.post(url(canvas, "basics"), {"name": "D", "tags": ""})
    assert AuditEvent.objects.filter(action="canvas.changed").count() == 2
    AuditEvent.objects.update(at=NOON - timedelta(days=1))
    client.post(url(canvas, "basics"), {"name": "E", "tags": ""})
    assert AuditEvent.objects.filter(action="canvas.changed").count() == 3


SCHEDULE = {
    "entry_kind": "scheduled",
    "starts_at": "2026-12-01T09:30",
    "time_zone": "Asia/Seoul",
    "repeat": "weekly",
    "ends_at": "2027-02-01T00:00",
}


def test_times_are_typed_by_the_clock_of_the_zone(editor, canvas):
    editor.post(url(canvas, "schedule"), SCHEDULE)
    canvas = fresh(canvas)
    assert canvas.starts_at == datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
    assert canvas.ends_at == datetime(2027, 1, 31, 15, tzinfo=UTC)
    page = editor.get(url(canvas, "schedule")).content.decode()
    for value in ('value="2026-12-01T09:30"', 'value="2027-02-01T00:00"', '"Asia/Seoul" selected', '"weekly" selected'):
        assert value in page
    assert saying.entry(canvas) == "Every week from 1 Dec 2026, 09:30 (Asia/Seoul) until 1 Feb 2027, 00:00"


def test_the_end_of_a_row_of_rounds_has_no_say_over_one_that_comes_once(editor, canvas, audience, workspace):
    """It is not shown then, and kept for whoever changes their mind."""
    add(canvas, "audience_sync", audience=audience)
    editor.post(url(canvas, "schedule"), SCHEDULE)
    answer = editor.post(url(canvas, "schedule"), SCHEDULE | {"repeat": "once", "starts_at": "2027-03-01T09:00"})
    assert answer.status_code == 302
    canvas = fresh(canvas)
    assert (canvas.repeat, canvas.ends_at) == ("once", datetime(2027, 1, 31, 15, tzinfo=UTC))
    assert recurring.next_entry(canvas, NOON) == datetime(2027, 3, 1, tzinfo=UTC)
    assert launching.problems(canvas, NOON) == []


def test_the_zone_of_whoever_types_a_time_has_no_say(editor, erin, canvas):
    """In New York there is no 2:30 on this night; in Seoul there is."""
    erin.time_zone = "America/New_York"
    erin.save(update_fields=["time_zone"])
    editor.post(url(canvas, "schedule"), SCHEDULE | {"starts_at": "2027-03-14T02:30", "ends_at": ""})
    assert fresh(canvas).starts_at == datetime(2027, 3, 13, 17, 30, tzinfo=UTC)
    assert 'value="2027-03-14T02:30"' in editor.get(url(canvas, "schedule")).content.decode()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"starts_at": ""}, "starts_at", "Say when users enter first."),
        ({"starts_at": "x"}, "starts_at", "Enter a valid date/time."),
        ({"starts_at": "0001-01-01T00:00"}, "starts_at", "Enter a valid date/time."),
        ({"starts_at": "9999-12-31T23:59", "ends_at": ""}, "starts_at", "Enter a valid date/time."),
        ({"ends_at": "9999-12-31T23:59", "time_zone": "America/New_York"}, "ends_at", "Enter a valid date/time."),
        ({"repeat": "cron", "cron": "* * * * *"}, "cron", "Five fields that come due, and every 15 minutes at most."),
        ({"repeat": "cron", "cron": ""}, "cron", "Five fields that come due, and every 15 minutes at most."),
        ({"ends_at": "2026-11-01T00:00"}, "ends_at", "The end comes before the first time."),
        (
            {"time_zone": "Mars/Base"},
            "time_zone",
            "Select a valid choice. Mars/Base is not one of the available choices.",
        ),
        ({"entry_kind": "event", "event_name": " "}, "event_name", "Say which event lets users in."),
        ({"entry_kind": "x"}, "entry_kind", "Select a valid choice. x is not one of the available choices."),
    ],
)
def test_a_schedule_that_makes_no_sense_is_not_saved_and_not_lost(editor, canvas, changes, field, said):
    answer = editor.post(url(canvas, "schedule"), SCHEDULE | changes)
    assert answer.status_code == 422
    assert answer.context["form"].errors[field] == [said]
    assert 'value="2027-02-01T00:00"' in answer.content.decode() or "ends_at" in changes
    assert (fresh(canvas).entry_kind, fresh(canvas).starts_at) == ("launch", None)


def test_a_segment_of_another_workspace_is_neither_target_nor_exit(editor, charlie, canvas):
    strange = Segment.objects.create(workspace=charlie.workspaces.get(), name="Theirs")
    assert editor.post(url(canvas, "target"), {"target": f"segment:{strange.pk}"}).status_code == 422
    assert editor.post(url(canvas, "send"), {"exit_segment": strange.pk}).status_code == 422
    assert (fresh(canvas).segment, fresh(canvas).exit_segment) == (None, None)


def test_after_launch_only_the_names_can_be_changed(editor, running, workspace):
    segment = Segment.objects.create(workspace=workspace, name="Loyal")
    editor.post(url(running, "basics"), {"name": "New", "tags": "x"})
    editor.post(url(running, "schedule"), {"entry_kind": "api"})
    editor.post(url(running, "target"), {"target": f"segment:{segment.pk}"})
    editor.post(url(running, "send"), {"reentry": "on", "exit_event": "purchase"})
    one = fresh(running)
    assert (one.name, one.tags) == ("New", ["x"])
    assert (one.entry_kind, one.segment, one.reentry, one.exit_event) == ("launch", None, False, "")
    page = editor.get(url(running, "schedule")).content.decode()
    assert "who enters, and how, stays as it is" in page
    assert 'hx-trigger="change' not in page
    assert 'hx-trigger="change' in editor.get(url(running, "basics")).content.decode()


def test_the_old_address_leads_to_the_first_section_and_others_are_not_there(editor, canvas):
    assert editor.get(f"/w/shop/canvas/{canvas.pk}/edit/").url == url(canvas, "basics")
    assert editor.get(url(canvas, "nonsense")).status_code == 404


def test_the_summary_says_everything_and_leads_to_what_is_missing(editor, canvas, audience, workspace, client, bob):
    segment = Segment.objects.create(workspace=workspace, name="Loyal")
    Canvas.objects.update(
        entry_kind="scheduled",
        segment=segment,
        reentry=True,
        reentry_days=1,
        exit_event="purchase",
        exit_segment=segment,
    )
    page = editor.get(f"/w/shop/canvas/{canvas.pk}/summary/").content.decode()
    for text in (
        "At a time that is not set yet",
        "Segment “Loyal”",
        "1 day after they entered last at the earliest",
        "when “purchase” happens; when they are in the segment “Loyal”",
        "Say when users enter.",
        "There is no step yet.",
    ):
        assert text in page
    assert page.count(f'href="{url(canvas, "schedule")}"') == 3  # the row of sections, the fact, the problem
    add(canvas, "audience_sync", audience=audience)
    client.force_login(bob)
    page = client.get(f"/w/shop/canvas/{canvas.pk}/summary/").content.decode()
    assert "Winter buyers (2542)" in page
    assert "Launch Canvas" not in page


def test_a_viewer_is_led_to_no_page_that_is_closed_to_them(client, canvas, bob):
    client.force_login(bob)
    page = client.get(f"/w/shop/canvas/{canvas.pk}/summary/").content.decode()
    assert "Entry Schedule" in page
    assert "/settings/" not in page.replace("/w/shop/settings/", "")


def test_words_for_every_kind_of_entry(workspace):
    seg = Segment(workspace=Workspace(), name="S")
    one = {"starts_at": NOON, "entry_kind": "scheduled"}
    assert [
        saying.entry(Canvas(**fields))
        for fields in (
            {},
            {"entry_kind": "api"},
            {"entry_kind": "event", "event_name": "visit"},
            one,
            {**one, "repeat": "daily"},
            {**one, "repeat": "cron", "cron": "0 9 * * 1"},
        )
    ] == [
        "At launch",
        "API-triggered",
        "When “visit” happens",
        "Once, on 23 Nov 2026, 12:00 (UTC)",
        "Every day from 23 Nov 2026, 12:00 (UTC)",
        "By “0 9 * * 1” from 23 Nov 2026, 12:00 (UTC)",
    ]
    assert (saying.reentry(Canvas()), saying.exits(Canvas())) == ("Once only", "At the end only")
    assert (saying.target(Canvas()), saying.target(Canvas(segment=seg))) == ("Everybody", "Segment “S”")


def test_the_journey_page_says_when_the_next_users_enter(editor, canvas, audience, workspace, alice):
    add(canvas, "audience_sync", audience=audience)
    people(workspace, 1)
    Canvas.objects.update(entry_kind="scheduled", starts_at=NOON + timedelta(days=3650), repeat="weekly")
    canvas.refresh_from_db()
    launching.launch(canvas, alice, NOON)
    page = editor.get(f"/w/shop/canvas/{canvas.pk}/").content.decode()
    said = page.partition("The next users enter on ")[2][:200]
    assert said.startswith("<time ")
    assert ">20 Nov 2036, 12:00</time>." in said
    assert "every 2s" not in page
