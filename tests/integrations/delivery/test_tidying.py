"""The waiting table is a queue: what left it must not be walked over by those who look at it."""

import pytest
from django.db import connection

from integrations.delivery.tidying import tidy
from pinsync.profiles.models import Profile
from tests.helpers import deliver, let_in, people, sync_to

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite leaves no dead rows")


def pages() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('integrations_arrival') / 8192")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_those_who_come_take_the_place_of_those_who_left(sandbox, workspace, audience):
    sync = sync_to(audience, "add")
    tidy()
    let_in(sync, people(workspace, 3000))
    deliver()
    before = pages()
    tidy()
    let_in(sync, Profile.objects.filter(workspace=workspace))
    assert pages() == before > 1
