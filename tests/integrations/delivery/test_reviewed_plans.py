"""What workers and pages ask all the time looks at few rows, however many there are."""

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.utils import timezone

from integrations.backlog import oldest_by_connection
from integrations.delivery import claiming, giving_up, retrying, settling
from integrations.delivery.lanes import due_lanes
from integrations.delivery.limits import Limits, limits_of
from integrations.models import Batch, Correction
from pinsync.profiles.models import Profile
from tests.helpers import EVERYTHING, audience_named, figures, later, let_in, people, sync_to


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL scans tables as small as a test's")
def test_settled_batches_are_never_looked_through(workspace, audience):
    let_in(sync_to(audience), people(workspace, 3))
    now = timezone.now()
    asked: list[tuple[str, str]] = []

    def explain(execute, sql, params, many, context):
        if re.match(r"\s*(SELECT|WITH)", sql) and "integrations_batch" in sql:
            question = f"EXPLAIN QUERY PLAN {sql}".replace("%s", "?")
            for *_, step in connection.connection.execute(question, params or ()):
                if re.search(r"\bintegrations_batch\b|^(SEARCH|SCAN) b\b", step):
                    asked.append((step, sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        due_lanes(now=now, flushed_at=now, full=1900)
        claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=now)
        giving_up.give_up(now)
    assert claim is not None
    assert len(asked) >= 8
    assert [step for step, _ in asked if "batch_open" not in step] == []


def plans(work: Callable[[], object]) -> list[str]:
    """Do `work` and return the lines of the plans that PostgreSQL makes for it."""
    lines: list[str] = []

    def explain(execute, sql, params, many, context):
        if re.match(r"(SELECT|WITH|UPDATE|DELETE)\b", sql):
            with connection.connection.cursor() as cursor:
                lines.extend(row[0] for row in cursor.execute(f"EXPLAIN {sql}", params).fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        work()
    return lines


def walks(lines: list[str]) -> list[str]:
    """Return those of a plan's lines that go along the ids of a table, past all that are not asked for."""
    return [line for line, after in pairwise(lines) if "_pkey on " in line and "Index Cond" not in after]


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite goes by no such statistics")
@pytest.mark.parametrize("look", [lambda: giving_up.give_up(timezone.now()), oldest_by_connection])
def test_the_oldest_of_a_lane_is_not_looked_for_among_all_who_wait(workspace, ad_account, audience, sandbox, look):
    other = audience_named("Summer buyers", ad_account, sandbox.world)
    let_in(sync_to(audience), people(workspace, 500))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integrations_arrival")  # it has one lane, as far as PostgreSQL will ever know
        cursor.execute("UPDATE integrations_arrival SET audience_id = %s", [other.pk])
    let_in(sync_to(audience, "remove"), people(workspace, 1, name="last"))
    reads = [line for line in plans(look) if "Scan" in line and "integrations_arrival" in line]
    assert reads
    assert [line for line in reads if "arrival_lane" not in line] == []


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite sorts")
@pytest.mark.parametrize("is_correction", [False, True])
def test_what_is_too_much_for_a_request_is_not_looked_for_among_all_there_ever_was(workspace, audience, is_correction):
    now, limits = timezone.now(), Limits(users=4, records=6)
    let_in(sync_to(audience, fields=EVERYTHING), people(workspace, 4))
    claimed = claiming.claim(audience.pk, "add", limits=limits, fresh=True, now=now)
    assert claimed is not None
    settling.postpone(claimed.batch, timedelta(), now=now)
    for number, profile in enumerate(Profile.objects.all()):
        Profile.objects.filter(pk=profile.pk).update(idfa_record=f"{number:064x}")
    if is_correction:
        Batch.objects.update(is_correction=True, users=0)
        rows = [Correction(audience=audience, record=f"{n:064x}", lost=False, profile_id=n) for n in range(8)]
        Correction.objects.bulk_create(rows)
        Correction.objects.update(batch=claimed.batch)
    found = plans(lambda: claiming.claim(audience.pk, "add", limits=limits, fresh=False, now=now))
    assert Batch.objects.get(pk=claimed.batch.pk).state == "split"
    assert walks(found) == []


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite looks up what is related")
def test_who_was_asked_the_opposite_since_is_looked_up_user_by_user(workspace, audience):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 5))
    giving_up.give_up(later(hours=14))
    batch = Batch.objects.get()
    found = plans(lambda: retrying.errored_of_sync(sync).wanted())
    found += plans(lambda: retrying.wanted_of_batch(batch))
    found += plans(lambda: retrying.retry_batch(batch, now=timezone.now()))
    assert figures(sync)["pending"] == 5
    assert sum("delivery_of_profile" in line for line in found) == 3
    others = r"(Hash|Merge)( \w+)* Join|Seq Scan on integrations_(arrival|delivery)"
    assert [line for line in found if re.search(others, line)] == []
    assert walks(found) == []


@pytest.mark.django_db
def test_batches_are_indexed_by_their_audience_once():
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Batch._meta.db_table)
    by_audience = [name for name, one in found.items() if one["index"] and one["columns"][0] == "audience_id"]
    # Two of them hold few rows only: what is open, and what errored.
    assert sorted(by_audience) == ["batch_errored", "batch_of_audience", "batch_open"]
