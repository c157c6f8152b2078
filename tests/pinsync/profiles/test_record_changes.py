"""A profile that gets another record leaves a note of the old one, whoever writes it."""

import json

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pinsync.profiles.matching import MatchField, email_record
from pinsync.profiles.models import Profile, RecordChange
from pinsync.profiles.rows import make_row
from pinsync.profiles.upserting import write
from pinsync.workspaces.keys import create_key
from pinsync.workspaces.models import Role, User

IDFA = "6d92078a-8246-4ba4-ae5b-76104861e7dc"


def put(workspace, *rows):
    with transaction.atomic():
        return write(workspace, [make_row(*row, {}) for row in rows], run=None, now=timezone.now())


def noted():
    return list(RecordChange.objects.order_by("pk").values_list("profile__external_id", "field", "record"))


def test_new_profiles_are_no_change(workspace):
    put(workspace, ("ann", "ann@example.com", IDFA, ""), ("ben", "", "", ""))
    put(workspace, ("cleo", "cleo@example.com", "", ""), ("cleo", "cleo@example.org", "", ""))  # one profile, one row
    assert noted() == []


def test_a_record_that_becomes_another_one_is_noted_with_the_old_one(workspace):
    put(workspace, ("ann", "ann@example.com", IDFA, ""), ("ben", "ben@example.com", "", ""))
    put(workspace, ("ann", "anna@example.com", IDFA, ""), ("ben", " Ben@Example.com ", "", ""))
    assert noted() == [("ann", MatchField.EMAIL, email_record("ann@example.com"))]


def test_a_record_that_comes_or_goes_is_noted(workspace):
    put(workspace, ("ann", "ann@example.com", "", ""))
    put(workspace, ("ann", "n/a", IDFA, ""))
    assert sorted(noted(), key=lambda change: change[1]) == [
        ("ann", MatchField.EMAIL, email_record("ann@example.com")),
        ("ann", MatchField.IDFA, None),
    ]


def test_blank_cells_and_attributes_change_no_record(workspace):
    put(workspace, ("ann", "ann@example.com", IDFA, ""))
    put(workspace, ("ann", "", "", ""))
    assert noted() == []


def test_what_is_rolled_back_is_not_noted(workspace):
    put(workspace, ("ann", "ann@example.com", "", ""))
    with transaction.atomic():
        put(workspace, ("ann", "anna@example.com", "", ""))
        transaction.set_rollback(True)
    assert noted() == []


def test_noting_takes_one_query_for_any_number_of_profiles(workspace):
    counts = []
    for number in (1, 500):
        put(workspace, *((f"{number}-{n}", f"{number}-{n}@example.com", "", "") for n in range(number)))
        with CaptureQueriesContext(connection) as queries:
            put(workspace, *((f"{number}-{n}", f"{number}-{n}@example.org", "", "") for n in range(number)))
        counts.append(len([query for query in queries if "recordchange" in query["sql"]]))
    assert counts == [1, 1]
    assert RecordChange.objects.count() == 501


def test_a_file_leaves_a_note(workspace, take):
    put(workspace, ("ann", "ann@example.com", "", ""))
    take("external_id,email\nann,anna@example.com\nben,ben@example.com\n")
    assert noted() == [("ann", MatchField.EMAIL, email_record("ann@example.com"))]


def test_the_api_leaves_a_note(client, workspace):
    put(workspace, ("ann", "ann@example.com", "", ""))
    alice = User.objects.create_user("alice@example.com")
    client.post(
        "/api/v1/profiles",
        json.dumps({"profiles": [{"external_id": "ann", "email": "anna@example.com"}]}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {create_key(workspace, 'Program', Role.EDITOR, alice, timezone.now())[1]}"},
    )
    assert Profile.objects.get().email == "anna@example.com"
    assert noted() == [("ann", MatchField.EMAIL, email_record("ann@example.com"))]
