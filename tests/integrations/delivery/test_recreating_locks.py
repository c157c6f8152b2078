"""A deleted audience comes back while others work at its lane: nobody waits for somebody who waits for him."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from integrations import audiences, creating
from integrations.delivery import giving_up
from integrations.models import Audience, Batch, Recreation
from tests.helpers import break_it, deliver, figures, later, let_in, mend, people, resume_creations, sync_to
from tests.workers import until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has one writer at a time"),
]


@pytest.fixture
def coming_back(audience, sandbox, workspace):
    """A deleted audience that was made anew, which nobody here knows yet; two users wait for it."""
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    deliver()
    break_it(sandbox, "delete_audience", audience_id=audience.external_id)
    Audience.objects.update(state="gone", failure="audience_gone")
    assert creating.recreate(Audience.objects.get(), None, timezone.now())
    break_it(sandbox, "drop_answer", path="/audiences", count=1)
    assert resume_creations(timezone.now()) == 0
    mend(sandbox)
    let_in(sync, people(workspace, 2, name="waits"))
    return sync


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("how", ["refresh", "resume"])
def test_whoever_gives_up_meanwhile_is_waited_for_not_locked_out(coming_back, ad_account, how):
    work = {
        "refresh": lambda: audiences.refresh(ad_account, timezone.now()),
        "resume": lambda: resume_creations(later(minutes=4)),
    }[how]
    got: list[object] = []

    def run() -> None:
        try:
            got.append(work())
        except Exception as problem:
            got.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=run)

    def begin_behind_the_lane(execute, sql, params, many, context):
        if "INSERT INTO" in sql and Batch._meta.db_table in sql and not thread.ident:
            thread.start()  # the lane is ours, the batch is not made yet
            until(somebody_waits, 20)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(begin_behind_the_lane):
        assert giving_up.give_up(later(hours=14)) == 1
    thread.join(20)
    assert [type(one) for one in got] == [int]
    assert Audience.objects.get(pk=coming_back.audience_id).state == "ready"
    assert Recreation.objects.get().made_at is not None
    assert figures(coming_back) == {"entered": 5, "synced": 3, "not_synced": 0, "pending": 0, "errored": 2}
