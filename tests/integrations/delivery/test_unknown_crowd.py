"""Plans on a PostgreSQL that knows nothing of a million users who entered: no ANALYZE has come by, or one before them.

What is asked all the time reads a few pages of the lane's index, however many wait in the lane or beside it.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from canvas.analytics import lanes as of_pages
from canvas.analytics import streams
from canvas.analytics.places import LARGEST, Place
from integrations.backlog import oldest_by_connection
from integrations.delivery import claiming, giving_up, moving, retrying, sending
from integrations.delivery.lanes import Lookout, due_lanes
from integrations.delivery.limits import limits_of
from integrations.delivery.plans import by_index
from integrations.models import AudienceSync
from tests.helpers import audience_named, figures, later, let_in, people, sync_to

pytestmark = [
    pytest.mark.django_db(transaction=True),  # what other tests took back would still be walked over
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite goes by no such statistics"),
]
WAITING = 60_000  # some 300 pages of the lane's index
FEW_PAGES = 40
NAMES = ("integrations_arrival", "integrations_delivery", "integrations_batch", "profiles_profile")
TABLES = re.compile("|".join(NAMES))
OIDS = "ARRAY[" + ", ".join(f"'{name}'::regclass" for name in NAMES) + "]"
NOTHING = "reltuples = -1, relpages = 0"
HARDLY_ANYBODY = "reltuples = 10, relpages = pg_relation_size(oid) / 8192"  # vacuumed when its queue was empty


@pytest.fixture(
    params=[("add", NOTHING), ("remove", NOTHING), ("add", HARDLY_ANYBODY)],
    ids=["add", "remove", "hardly anybody"],
)
def crowd(request, workspace, audience, sandbox, nobody_analyzes) -> AudienceSync:
    """A sync with a crowd that waits; nobody waits for the opposite."""
    operation, believed = request.param
    sync = sync_to(audience, operation)
    let_in(sync, people(workspace, 3))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO integrations_arrival (sync_id, profile_id, audience_id, operation, match_fields, entered_at)"
            " SELECT sync_id, -number, audience_id, operation, match_fields, entered_at FROM integrations_arrival"
            " CROSS JOIN generate_series(1, %s) AS number"
            " WHERE id = (SELECT min(id) FROM integrations_arrival WHERE sync_id = %s)",
            [WAITING, sync.pk],
        )
        cursor.execute(
            "UPDATE integrations_synctotals SET entered = %s, pending = %s WHERE sync_id = %s",
            [WAITING + 3, WAITING + 3, sync.pk],
        )
        cursor.execute(f"DELETE FROM pg_statistic WHERE starelid = ANY({OIDS})")
        cursor.execute(f"UPDATE pg_class SET {believed} WHERE oid = ANY({OIDS})")
    return sync


# Where hardly anybody is believed to wait, the users of a step are looked for by id until the next vacuum (tidying.py).
never_analyzed = pytest.mark.parametrize("crowd", [("add", NOTHING), ("remove", NOTHING)], indirect=True)


@pytest.fixture
def few(workspace, ad_account, sandbox) -> AudienceSync:
    """A sync whose three users wait for another audience, and came before the crowd."""
    sync = sync_to(audience_named("Few", ad_account, sandbox.world))
    let_in(sync, people(workspace, 3, name="early"))
    return sync


@pytest.fixture
def nobody_analyzes() -> Iterator[None]:
    """Keep PostgreSQL's own daemon from the tables, which comes when it likes."""
    _alter_each("SET (autovacuum_enabled = off)")
    yield
    _alter_each("RESET (autovacuum_enabled)")


def _alter_each(change: str) -> None:
    with connection.cursor() as cursor:
        for table in NAMES:
            cursor.execute(f"ALTER TABLE {table} {change}")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def read(work: Callable[[], object]) -> list[str]:
    """Do `work` and return which steps of its queries read many pages of a large table, or all of it."""
    found = []

    def explain(execute, sql, params, many, context):
        if re.match(r"\s*(SELECT|WITH)\b", sql) and TABLES.search(sql) and "INSERT" not in sql and "DELETE" not in sql:
            with connection.connection.cursor() as cursor:
                (plans,) = cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params).fetchone()
            for node in nodes(json.loads(plans)[0]["Plan"] if isinstance(plans, str) else plans[0]["Plan"]):
                pages = (node["Shared Hit Blocks"] + node["Shared Read Blocks"]) / max(node["Actual Loops"], 1)
                if TABLES.search(node.get("Relation Name", "")) and pages > FEW_PAGES + 4 * node["Actual Rows"]:
                    found.append(f"{node['Node Type']} {node.get('Index Name', node['Relation Name'])}: {pages} pages")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        work()
    return found


def test_looking_at_what_is_due(crowd):
    now = timezone.now()
    lookout = Lookout()
    for _ in range(2):  # the second time by the lanes that are known
        assert read(lambda: lookout.due_lanes(now=now, flushed_at=now, full=1_900)) == []
    assert read(lambda: due_lanes(now=now, flushed_at=now, full=1_900)) == []
    assert read(oldest_by_connection) == []


@pytest.mark.parametrize("operation", ["add", "remove"])
def test_whether_anybody_waits_for_the_opposite(crowd, operation):
    def ask() -> None:
        with by_index():
            assert moving.has_any(crowd.audience_id, operation) == (operation == crowd.operation)

    assert read(ask) == []


def test_reading_the_oldest_of_a_lane_that_is_empty(crowd):
    def ask() -> None:
        with by_index():
            other = moving.opposite(crowd.operation)
            assert moving.oldest(crowd.audience_id, other, 1_900, unblocked=False) == []

    assert read(ask) == []


def test_claiming_and_settling(crowd):
    now = timezone.now()
    claims = []

    def claim() -> None:
        limits = limits_of("pinterest")
        claims.append(claiming.claim(crowd.audience_id, crowd.operation, limits=limits, fresh=True, now=now))

    assert read(claim) == []
    assert read(lambda: sending.send(claims[0].batch, claims[0].records)) == []
    assert figures(crowd)["synced"] == 3  # the crowd's profiles are not there


@never_analyzed
def test_the_page_of_a_step(crowd, monkeypatch):
    monkeypatch.setattr(streams, "WINDOW", 500)
    asked = of_pages.lanes(crowd, below=LARGEST, window=500)
    assert [lane.operation for lane in asked if lane.floor] == [crowd.operation]
    assert read(lambda: of_pages.lanes(crowd, below=LARGEST, window=500)) == []
    assert read(lambda: of_pages.oldest(crowd, window=500)) == []
    assert read(lambda: streams.arrivals(crowd, Place("a"), 50)) == []
    assert read(lambda: of_pages.fed_audiences(crowd, window=500)) == []


@never_analyzed
def test_the_page_of_a_step_beside_a_crowd(few, crowd, monkeypatch):
    monkeypatch.setattr(streams, "WINDOW", 20)  # so many of each lane are read, whoever they are
    seen = []
    assert read(lambda: seen.append(streams.arrivals(few, Place("a"), 50))) == []
    assert seen[0].cut  # as far as the crowd's lane was read: the few are found by going on


def test_counting_who_would_be_retried(workspace, audience, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    giving_up.give_up(later(hours=14))
    assert figures(sync)["errored"] == 3
    assert read(lambda: retrying.errored_of_sync(sync).wanted()) == []
