"""A hundred thousand users, made in SQL: pages ask a fixed number of questions, and each follows an index.

Held by plans and by the number of queries, not by the clock.
"""

import re
from collections.abc import Iterator

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from canvas.analytics import metrics, person, retrying
from canvas.analytics.batch_list import OUTCOMES, batches
from canvas.analytics.batches import page_of
from canvas.analytics.flow import flow_of, notes_of
from canvas.analytics.streams import Span
from canvas.analytics.users import Wanted, find, users
from canvas.models import Canvas, Step
from canvas.reading import steps_of
from integrations import registry
from integrations.models import Batch, Delivery, SyncReason, SyncTotals
from pinsync.workspaces.models import Workspace
from tests.canvas.conftest import HOUR, NOON, ad_account_of, add, audience_in, connect, run

pytestmark = pytest.mark.django_db
LARGE = ("integrations_delivery", "integrations_arrival", "integrations_batch", "profiles_profile")
SIZE = 1_900  # of a full batch
SENT, BEFORE, BLANK, REFUSED = 25, 60_000, 1_000, 3  # batches, arrivals, not synced, batches of one


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker) -> Iterator[Canvas]:
    """A Canvas with more than 100,000 users, for all tests here, which only read.

    Its transaction is around those of the tests, and is rolled back as theirs are.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        workspace = Workspace.objects.create(name="Shop", slug="shop")
        audience = audience_in(ad_account_of(connect(workspace, registry.partners()[0])))
        running = run(Canvas.objects.create(workspace=workspace, name="Winter"), audience)
        fill(running, audience)
        yield running
        transaction.set_rollback(True)


@pytest.fixture
def step(filled, db) -> Step:
    """The first step of it; the other one has half of each batch of the same audience."""
    return steps_of(filled).get(position=1)


def fill(running, audience) -> None:
    many(
        20_000,
        "profiles_profile (workspace_id, external_id, email, idfa, gaid, attributes, created_at, updated_at)",
        "%s, 'u' || i, '', '', '', '{}', %s, %s",
        [running.workspace_id, moment(), moment()],
    )
    other = add(running, "audience_sync", audience=audience)
    step = Step.objects.select_related("sync__audience", "canvas__workspace").get(canvas=running, position=1)
    shared = {
        "audience": audience,
        "operation": "add",
        "oldest_entered_at": NOON,
        "gives_up_at": NOON,
        "created_at": NOON,
        "next_attempt_at": NOON,
    }
    for _ in range(SENT):
        batch = Batch.objects.create(state="accepted", users=2 * SIZE, settled_at=NOON, **shared)
        deliver(step.sync_id, batch, SIZE)
        deliver(other.sync_id, batch, SIZE)
    for _ in range(REFUSED):
        refused = Batch.objects.create(
            state="errored", users=1, settled_at=NOON, reason="record_refused", attempts=1, **shared
        )
        deliver(step.sync_id, refused, 1)
    deliver(step.sync_id, Batch.objects.create(state="waiting", users=40, reason="rate_limited", **shared), 40)
    deliver(step.sync_id, None, BLANK, reason="no_usable_field")
    many(
        BEFORE,
        "integrations_arrival (sync_id, profile_id, audience_id, operation, match_fields, entered_at)",
        "%s, i, %s, 'add', 1, %s",
        [step.sync_id, audience.pk, moment()],
    )
    SyncTotals.objects.create(
        sync=step.sync,
        entered=SENT * SIZE + BEFORE + BLANK + REFUSED + 40,
        synced=SENT * SIZE,
        not_synced=BLANK,
        pending=BEFORE + 40,
        errored=REFUSED,
    )
    SyncReason.objects.create(sync=step.sync, reason="record_refused", users=REFUSED)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")


def moment():
    return database.ops.adapt_datetimefield_value(NOON)


def many(number, into, values, params) -> None:
    """Insert `number` rows in one statement; `i` counts them."""
    with database.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
            f" INSERT INTO {into} SELECT {values} FROM n",
            params,
        )


def deliver(sync, batch, number, reason="") -> None:
    many(
        number,
        "integrations_delivery"
        " (sync_id, profile_id, audience_id, batch_id, operation, match_fields, reason, entered_at)",
        "%s, i + 1000, %s, %s, 'add', 1, %s, %s",
        [sync, Batch.objects.first().audience_id, batch.pk if batch else None, reason, moment()],
    )


def asked(do) -> list[str]:
    """Return the queries of `do`, without what tells PostgreSQL how to plan them."""
    with CaptureQueriesContext(database) as captured:
        do()
    return [query["sql"] for query in captured if not query["sql"].startswith("SET LOCAL")]


def scans(sql) -> list[str]:
    """Return the large tables of which this query's plan reads every row."""
    explain = "EXPLAIN" if database.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with database.cursor() as cursor:
        cursor.execute(f"{explain} {sql.replace('%', '%%')}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    if database.vendor == "postgresql":
        return [table for table in LARGE if f"Seq Scan on {table}" in plan and table != "integrations_batch"]
    return [table for table in LARGE if re.search(rf'SCAN "?{table}\b', plan)]


STATES = {"entered": 5, "synced": 6, "not_synced": 5, "pending": 6, "errored": 5}


@pytest.mark.parametrize(("state", "most"), STATES.items())
def test_a_page_of_users_asks_little_and_follows_an_index(step, state, most):
    found = []
    queries = asked(lambda: found.append(users(step, Wanted(state))))
    assert len(found[0].lines) == (REFUSED if state == "errored" else 50)
    assert len(queries) <= most
    assert {sql: scans(sql) for sql in queries if scans(sql)} == {}
    assert not [sql for sql in queries if "COUNT(" in sql]


@pytest.mark.parametrize("state", ["entered", "synced", "not_synced", "pending"])
def test_the_hundredth_page_costs_what_the_first_one_does(step, state):
    pages = [users(step, Wanted(state))]
    for _ in range(15):
        pages.append(users(step, Wanted(state), after=pages[-1].older))
    first, last = (
        asked(lambda: users(step, Wanted(state))),
        asked(lambda: users(step, Wanted(state), after=pages[-1].older)),
    )
    assert len(last) <= len(first) + 3  # the rest of a moment is asked for by itself, for each reason
    assert {sql: scans(sql) for sql in last if scans(sql)} == {}
    ids = [(line.delivery_id, line.profile_id) for page in pages for line in page.lines]
    assert len(set(ids)) == len(ids) == 16 * 50


def test_after_the_arrivals_come_those_in_a_batch(step):
    page = users(step, Wanted("pending"), after="a0-1")
    assert [line.state for line in page.lines] == ["pending"] * 40
    assert (page.older, page.cut) == ("", False)


def test_figures_flow_and_one_person_follow_an_index(step):
    figures = metrics(step)
    one = step.canvas.workspace.profiles.first()
    batch = Batch.objects.filter(state="accepted").select_related("audience__ad_account__connection").first()
    for do, most in (
        (lambda: metrics(step), 1),
        (lambda: flow_of(step, figures, NOON), 4),
        (lambda: notes_of([step], NOON), 2),
        (lambda: person.happenings(one), 6),
        (lambda: person.journeys(one), 1),
        *((lambda key=key: batches(step.sync, key), 2) for key in OUTCOMES),
        (lambda: batches(step.sync, before=10), 2),
        (lambda: find(step, "u7", Wanted()), 4),
        (lambda: page_of(batch), 5),
        (lambda: retrying.would_retry(step, "record_refused"), 2),
    ):
        queries = asked(do)
        assert len(queries) <= most, queries
        assert {sql: scans(sql) for sql in queries if scans(sql)} == {}


FILTERS = {
    "span": ({"span": Span(NOON - HOUR, NOON + HOUR)}, STATES),
    "before": ({"span": Span(None, NOON)}, STATES),
    "batch": ({"batch": 1}, STATES),
}


@pytest.mark.parametrize("chosen", FILTERS)
def test_filters_follow_an_index_too(step, chosen):
    how, states = FILTERS[chosen]
    if "batch" in how:
        how = {"batch": Batch.objects.earliest("pk").pk}
    for state in states:
        found = []
        queries = asked(lambda: found.append(users(step, Wanted(state, **how))))  # noqa: B023
        assert len(queries) <= 8
        assert {sql: scans(sql) for sql in queries if scans(sql)} == {}, state
        expected = {"span": 3 if state == "errored" else 50, "before": 0}
        expected["batch"] = 50 if state in ("entered", "synced") else 0
        assert len(found[0].lines) == expected[chosen], state


@pytest.mark.parametrize("state", ["synced", "not_synced"])
def test_no_index_is_entered_by_the_wrong_one_of_two_bounds(step, state, monkeypatch):
    """SQLite goes by one of them and reads all rows between the two, which may be a month of them."""
    monkeypatch.setattr("canvas.analytics.streams.WINDOW", 1_000)
    wanted = Wanted(state, span=Span(NOON - HOUR, NOON + HOUR))
    further = users(step, wanted, after=users(step, wanted).older).older
    queries = asked(lambda: users(step, wanted)) + asked(lambda: users(step, wanted, after=further))
    parts = [part for sql in queries for part in sql.split(" UNION ALL ")]
    of_deliveries = [sql for sql in parts if 'FROM "integrations_delivery"' in sql]
    assert of_deliveries
    bounds = [[len(re.findall(f'"entered_at" {sign}', sql)) for sign in "<>"] for sql in of_deliveries]
    assert all(max(both) <= 1 for both in bounds), of_deliveries


def test_a_plan_that_reads_everything_is_noticed(step):
    """Else the tests above would hold nothing."""
    queries = asked(lambda: list(Delivery.objects.filter(match_fields=4)[:5]))
    assert [scans(sql) for sql in queries] == [["integrations_delivery"]]
