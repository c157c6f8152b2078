"""Users are found by the beginning of their external ID, and by a walk as long as a page."""

import pytest
from django.db import connection
from django.utils import timezone

from pinsync.profiles import finding
from pinsync.profiles.models import Profile

pytestmark = pytest.mark.django_db
OTHERS = 3_000


@pytest.fixture
def many(workspace):
    now = timezone.now()
    ids = [f"c-{n}" for n in range(OTHERS)]
    ids += ["Straße 1", "Straße_2", "Straßen", "Stra", "straße", "str", "_1", "%2", "가나", "가나다", "가", "a b", "ab"]
    rows = [Profile(workspace=workspace, external_id=id, created_at=now, updated_at=now) for id in ids]
    Profile.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE profiles_profile")
    return workspace


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Straße", ["Straße 1", "Straße_2", "Straßen"]),
        ("stra", ["straße"]),
        ("_", ["_1"]),
        ("%", ["%2"]),
        ("가나", ["가나"]),  # who is called so comes alone
        ("가나다라", []),
        ("a", ["a b", "ab"]),
        ("c-299", ["c-299"]),
        ("c-299 ", ["c-299"]),
        ("zzz", []),
    ],
)
def test_a_beginning_finds_who_has_it(many, text, found):
    assert [profile.external_id for profile in finding.search(many, text)] == found


def test_many_with_a_beginning_come_a_page_at_a_time(many):
    found = [profile.external_id for profile in finding.search(many, "c-1")]
    assert found == ["c-1"]
    found = [profile.external_id for profile in finding.search(many, "c-")]
    assert found == sorted(f"c-{n}" for n in range(OTHERS))[: finding.PER_PAGE]


def test_the_beginning_is_looked_up_by_the_index(many):
    plans: list[str] = []

    def explain(execute, sql, params, many, context):
        if sql.startswith("SELECT") and ">=" in sql:
            cursor = connection.connection.cursor()
            if connection.vendor == "postgresql":
                rows = cursor.execute(f"EXPLAIN {sql}", params).fetchall()
            else:
                rows = cursor.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%s", "?"), params).fetchall()
            plans.append("\n".join(str(row[-1]) for row in rows))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert len(finding.search(many, "Straß")) == 3
    (looked_up,) = plans
    assert "external_id" in looked_up
    assert "Seq Scan" not in looked_up
    if connection.vendor == "postgresql":
        assert "Sort" not in looked_up
        assert "Index Cond" in looked_up
        assert looked_up.split("Index Cond")[1].count("external_id") == 2
    else:
        assert "external_id>? AND external_id<?" in looked_up
