"""What is asked several times a second looks at open batches only, however many are settled."""

import re

import pytest
from django.db import connection
from django.utils import timezone

from integrations.delivery import claiming, giving_up
from integrations.delivery.lanes import due_lanes
from integrations.delivery.limits import limits_of
from tests.helpers import let_in, people, sync_to


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
