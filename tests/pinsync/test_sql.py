"""Sets in, sets out, and single rows by hand, with the right types on both databases."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Length

from canvas.models import Canvas, Entry, Move
from integrations.models import Arrival, Attempt, AudienceSync, Connection, Delivery, Seat
from pinsync.profiles.models import Import, ImportProblem, Profile, Segment
from pinsync.sql import (
    Rows,
    found_by_the_narrowest_index,
    get_row,
    insert_either,
    insert_row,
    insert_select,
    joined_as_sets,
    joined_by_lookup,
    prepared,
    read_in_order,
    rows_about,
    update_rows,
)
from pinsync.workspaces.models import AuditEvent, Workspace

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return Workspace.objects.create(name="Shop", slug="shop")


@pytest.fixture
def profiles(workspace):
    Profile.objects.bulk_create(
        Profile(workspace=workspace, external_id=f"u{n}", created_at=NOON, updated_at=NOON) for n in range(5)
    )
    return Profile.objects.filter(workspace=workspace)


@pytest.fixture
def canvas(workspace):
    return Canvas.objects.create(workspace=workspace, name="Winter")


def columns(canvas, **changes):
    move = Move.objects.create(canvas=canvas, kind=Move.Kind.ENTER, at=NOON)
    return {
        "canvas": canvas,
        "profile_id": F("id"),
        "turn": 0,
        "move": move,
        "state": Entry.State.EXITED,
        "step": None,
        "due_at": None,
        "entered_at": NOON,
        "exited_at": NOON,
        **changes,
    }


def test_rows_of_a_queryset_become_rows_of_a_model_in_one_statement(canvas, profiles, django_assert_num_queries):
    named = columns(canvas)
    with django_assert_num_queries(1):
        assert insert_select(Entry, named, profiles) == 5
    assert list(Entry.objects.order_by("profile").values_list("profile", flat=True)) == list(
        profiles.order_by("id").values_list("id", flat=True)
    )
    entry = Entry.objects.first()
    assert (entry.canvas, entry.turn, entry.state, entry.step, entry.due_at) == (canvas, 0, "exited", None, None)
    assert (entry.entered_at, entry.exited_at) == (NOON, NOON)


def test_every_kind_of_constant_arrives_as_what_it_was(workspace, profiles):
    detail = {"text": "50 % “off”", "numbers": [1, 2.5], "none": None}
    audit = {
        "workspace": workspace,
        "actor": None,
        "action": "a",
        "target": "it's %s",
        "detail": Value(detail),
        "at": NOON,
    }
    assert insert_select(AuditEvent, audit, profiles[:1]) == 1
    event = AuditEvent.objects.get()
    assert (event.target, event.detail, event.at, event.actor_id) == ("it's %s", detail, NOON, None)


def test_constants_keep_their_type_under_distinct_and_booleans_too(workspace, profiles):
    named = {
        "workspace": workspace,
        "name": Value("copy"),
        "description": "",
        "tags": ["a"],
        "state": "draft",
        "entry_kind": "api",
        "reentry": True,
        "enter_at": None,
        "segment": None,
        "source_import": None,
        "created_at": NOON,
        "updated_at": NOON,
    }
    # What else may not be NULL, as the model has it.
    named |= {
        field.name: field.get_default()
        for field in Canvas._meta.concrete_fields
        if not (field.null or field.primary_key or field.name in named)
    }
    assert insert_select(Canvas, named, profiles.distinct()) == 1
    copy = Canvas.objects.get()
    assert (copy.reentry, copy.tags, copy.created_at, copy.segment) == (True, ["a"], NOON, None)


def test_expressions_are_computed_per_row(workspace, profiles):
    named = {
        "run": Import.objects.create(workspace=workspace, name="customers.csv"),
        "line": Length("external_id"),
        "reason": Coalesce(F("external_id"), Value("nobody")),
        "values": {},
    }
    assert insert_select(ImportProblem, named, profiles.filter(~Q(external_id="u0"))) == 4
    assert set(ImportProblem.objects.values_list("reason", "line")) == {("u1", 2), ("u2", 2), ("u3", 2), ("u4", 2)}


def test_a_conflict_lets_nobody_in(canvas, profiles):
    assert insert_select(Entry, columns(canvas), profiles.order_by("id")[:2]) == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_select(Entry, columns(canvas), profiles)
    assert Entry.objects.count() == 2


def test_the_set_may_be_filtered_by_subqueries_sliced_or_empty(canvas, profiles, django_assert_num_queries):
    insert_select(Entry, columns(canvas), profiles.order_by("id")[:2])
    fresh = profiles.filter(~Exists(Entry.objects.filter(canvas=canvas, profile=OuterRef("pk"))))
    assert insert_select(Entry, columns(canvas), fresh) == 3
    named = columns(canvas, turn=1)
    with django_assert_num_queries(0):
        assert insert_select(Entry, named, profiles.none()) == 0
    assert insert_select(Entry, named, profiles.order_by("-id")[1:3]) == 2


def test_values_travel_as_parameters(canvas, profiles, workspace):
    named = {"workspace": workspace, "name": "'; DROP TABLE", "filters": {}, "created_at": NOON, "updated_at": NOON}
    insert_select(Segment, named, profiles[:1])
    assert Segment.objects.get().name == "'; DROP TABLE"


@pytest.fixture
def either(workspace):
    """Two kinds of rows about profiles, and what is the same for all."""
    sync = AudienceSync.objects.create(workspace=workspace)
    asked = {"sync": sync, "audience": 7, "operation": "add", "match_fields": 1, "entered_at": NOON}
    return {
        "so": Rows(Arrival, "profile", asked),
        "otherwise": Rows(Delivery, "profile", {**asked, "reason": "it's 50 %"}),
    }


def test_each_of_a_set_becomes_one_row_or_the_other(profiles, either, django_assert_num_queries):
    Profile.objects.filter(external_id__in=("u1", "u3")).update(email_record="a" * 64)
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 2):
        assert insert_either(profiles, Q(email_record="a" * 64), **either) == (2, 3)
    names = dict(Profile.objects.values_list("pk", "external_id"))
    arrived = Arrival.objects.order_by("id").values_list("profile", "audience", "operation", "entered_at")
    assert [(names[pk], *rest) for pk, *rest in arrived] == [("u1", 7, "add", NOON), ("u3", 7, "add", NOON)]
    # whose value is NULL, of whom the condition is neither true nor false
    others = Delivery.objects.order_by("id").values_list("profile", "reason")
    assert [(names[pk], reason) for pk, reason in others] == [(name, "it's 50 %") for name in ("u0", "u2", "u4")]


def test_all_of_one_kind_and_nobody_at_all(profiles, either, django_assert_num_queries):
    assert insert_either(profiles, Q(pk__gt=0), **either) == (5, 0)
    assert insert_either(profiles, Q(pk__in=[]), **either) == (0, 5)
    with django_assert_num_queries(0):
        assert insert_either(profiles.none(), Q(pk__gt=0), **either) == (0, 0)


def ways() -> dict[str, str]:
    names = ["enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_seqscan"]
    names += ["enable_bitmapscan", "enable_sort"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [names])
        return dict(cursor.fetchall())


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite looks up and nothing else")
@pytest.mark.parametrize(
    ("joined", "closed"),
    [
        (joined_as_sets, {"enable_nestloop"}),
        (joined_by_lookup, {"enable_hashjoin", "enable_mergejoin", "enable_seqscan"}),
        (read_in_order, {"enable_bitmapscan", "enable_sort"}),
    ],
)
def test_ways_to_join_are_closed_inside_and_open_again_behind_it(joined, closed):
    before = ways()
    assert set(before.values()) == {"on"}
    with transaction.atomic():
        with joined():
            assert {name for name, setting in ways().items() if setting == "off"} == closed
        assert ways() == before


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite sorts nothing that an index has in order")
def test_what_an_index_has_in_order_is_not_sorted(workspace):
    found = Profile.objects.filter(workspace=workspace, external_id__gte="u").order_by("external_id")[:3]
    with transaction.atomic(), read_in_order():
        plan = found.explain()
    assert "profile_external_id" in plan
    assert "Sort" not in plan
    assert "Bitmap" not in plan


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite knows no price of a page")
def test_pages_cost_next_to_nothing_inside_and_their_price_behind_it():
    def price() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW random_page_cost")
            return cursor.fetchone()[0]

    before = price()
    with transaction.atomic():
        with found_by_the_narrowest_index():
            assert price() == "0.1" != before
        assert price() == before


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite keeps no number of rows")
def test_the_number_of_rows_is_known_about_before_and_after_they_are_analyzed(profiles):
    first = rows_about(Profile)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE profiles_profile")
    assert first > 0  # from the size of the file, which rows of other tests have made larger
    assert rows_about(Profile) == 5


def test_a_row_by_hand_is_the_row_that_the_orm_makes():
    made = insert_row(
        Attempt,
        {
            "batch": None,
            "pace_id": 7,
            "started_at": NOON,
            "duration_ms": 12,
            "http_status": None,
            "outcome": "accepted",
        },
    )
    found = Attempt.objects.get(pk=made)
    assert (found.batch_id, found.pace_id, found.started_at) == (None, 7, NOON)
    assert (found.duration_ms, found.http_status, found.outcome) == (12, None, "accepted")


def test_rows_are_changed_by_hand_where_all_of_it_is_so():
    mine, theirs = uuid.uuid4(), uuid.uuid4()
    Seat.objects.bulk_create([Seat(number=1, holder=mine), Seat(number=2, holder=theirs), Seat(number=3)])
    assert update_rows(Seat, {"until": 5.5}, holder=mine, number=2) == 0
    assert update_rows(Seat, {"until": 5.5, "holder": None}, holder=mine, number=1) == 1
    assert update_rows(Seat, {"until": 1.0}, holder=None) == 0  # None is never so
    assert list(Seat.objects.order_by("number").values_list("number", "holder", "until")) == [
        (1, None, 5.5),
        (2, theirs, 0.0),
        (3, None, 0.0),
    ]


def test_a_row_that_is_read_by_hand_is_the_one_that_the_orm_reads(workspace):
    profile = Profile.objects.create(
        workspace=workspace, external_id="u", attributes={"a": [1, None]}, created_at=NOON, updated_at=NOON
    )
    values = {"refresh_lease": uuid.uuid4(), "access_expires_at": NOON, "connected_at": NOON}
    link = Connection.objects.create(workspace=workspace, partner="tiny", access_token="secret", **values)
    for kept in (profile, link, Seat.objects.create(number=3, until=0.5)):
        found = get_row(type(kept), **{kept._meta.pk.name: kept.pk})
        assert found is not None
        same = type(kept).objects.get(pk=kept.pk)
        assert {field.attname: getattr(found, field.attname) for field in kept._meta.concrete_fields} == {
            field.attname: getattr(same, field.attname) for field in kept._meta.concrete_fields
        }
        assert found._state.db == same._state.db
        assert not found._state.adding
    assert get_row(Profile, workspace_id=workspace.pk, external_id="u") == profile
    assert get_row(Profile, external_id="nobody") is None


def test_what_is_asked_all_the_time_is_planned_once(workspace):
    with prepared() as cursor:
        for name in ("Shop", "Another"):
            cursor.execute("SELECT count(*) FROM workspaces_workspace WHERE name = %s", [name])
            assert cursor.fetchone() == (int(name == "Shop"),)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s", ["%name = $1"])
            assert len(cursor.fetchall()) == 1


def test_what_is_prepared_is_seen_by_who_counts_statements(workspace, django_assert_num_queries):
    with django_assert_num_queries(2) as asked:
        for _ in range(2):
            assert get_row(Workspace, id=workspace.pk) == workspace
    assert all(str(workspace.pk) in query["sql"] for query in asked.captured_queries)
