"""The pace of requests that are no writes: spaced per partner user, and counted where the whole app has a quota.

Whoever asks something of a partner says for whom (`reads_of`); upkeep says that it can wait (`in_background`). The rest
happens at the door that every request passes (contract.door).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from django.db import connection

from integrations import registry
from integrations.contract import Errand
from integrations.delivery import asking, rationing
from integrations.delivery.clock import clock_sql, greatest_sql
from integrations.delivery.writing import writing
from integrations.errors import RateLimited
from integrations.models import Pace

LONGEST_WAIT = 2.0  # seconds that a page may wait for its turn
LONGEST_IN_BACKGROUND = 0.5  # people go first: upkeep comes back another time
AFTER_A_LIMIT = timedelta(seconds=10)  # when the partner does not say how long to wait

_person: ContextVar[tuple[str, str] | None] = ContextVar("person", default=None)
_is_background: ContextVar[bool] = ContextVar("is_background", default=False)


@contextmanager
def reads_of(partner_slug: str, partner_user_id: str) -> Iterator[None]:
    """Have the reads within keep the pace of this person; a 429 among them holds up all reads of the person."""
    token = _person.set((partner_slug, partner_user_id))
    try:
        yield
    except RateLimited as refused:
        if refused.http_status:  # the partner said so, not our own pace
            _hold_up(partner_slug, partner_user_id, refused.retry_after or AFTER_A_LIMIT)
        raise
    finally:
        _person.reset(token)


@contextmanager
def in_background() -> Iterator[None]:
    """Let the requests of people go before those within."""
    token = _is_background.set(True)
    try:
        yield
    finally:
        _is_background.reset(token)


def keep_door(partner_slug: str, errand: Errand) -> Callable[[], None] | None:
    """Let a request out when its turn has come; waits up to 2 s. Raises RateLimited, which says when to try again.

    Writes take the turn that their caller asked for (asking.py), and tell when they have left.
    """
    if errand == "write":
        return asking.take_turn()
    partner = registry.partner(partner_slug)
    person = _person.get()
    if errand == "read" and person is not None and partner.seconds_between_reads:
        longest = LONGEST_IN_BACKGROUND if _is_background.get() else LONGEST_WAIT
        time.sleep(_take_turn(*person, gap=partner.seconds_between_reads, at_most=longest))
    if partner.quota is not None:
        rationing.count_read(partner_slug, partner.quota, _share(errand))
    return None


def _share(errand: Errand) -> float:
    if errand == "token":  # without it nothing else works
        return rationing.TOKENS
    return rationing.UPKEEP if _is_background.get() else rationing.PEOPLE


def _take_turn(partner_slug: str, partner_user_id: str, *, gap: float, at_most: float) -> float:
    """Take the person's next slot for a read and return how many seconds away it is. Raises RateLimited."""
    pace, _ = Pace.objects.get_or_create(partner=partner_slug, partner_user_id=partner_user_id)
    clock = clock_sql()
    free = greatest_sql("next_read", clock)
    with writing(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE integrations_pace SET next_read = {free} + %s WHERE id = %s AND {free} - {clock} <= %s"
            f" RETURNING next_read - %s - {clock}",
            [gap, pace.pk, at_most, gap],
        )
        row = cursor.fetchone()
        if row is None:
            cursor.execute(f"SELECT {free} - {clock} FROM integrations_pace WHERE id = %s", [pace.pk])
            wait = timedelta(seconds=float(cursor.fetchone()[0]))
            raise RateLimited("The next read of this person is too far away", retry_after=wait)
    return max(float(row[0]), 0.0)


def _hold_up(partner_slug: str, partner_user_id: str, wait: timedelta) -> None:
    pace, _ = Pace.objects.get_or_create(partner=partner_slug, partner_user_id=partner_user_id)
    until = greatest_sql("next_read", f"{clock_sql()} + %s")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE integrations_pace SET next_read = {until} WHERE id = %s", [wait.total_seconds(), pace.pk]
        )
    if rationing.quota_of(partner_slug) is not None:
        rationing.block(partner_slug, wait)
