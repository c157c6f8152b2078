"""When the next write request of a partner user may start: one row that all workers and machines share.

Starts are spaced, not counted: a bucket of seven tokens lets fourteen requests into one second, spacing never does.
The row is moved by one UPDATE, so two reservations can't get the same slot. Where the whole app has a quota, a slot of
its own comes on top (rationing.py).
"""

import logging
import time
from datetime import timedelta

from django.db import DatabaseError, connection

from integrations import registry
from integrations.contract import Quota
from integrations.delivery import rationing
from integrations.delivery.clock import Meeting, clock_sql, greatest_sql, read_clock
from integrations.delivery.writing import writing
from integrations.models import AppPace, Connection, Pace
from pinsync.sql import get_row, prepared

log = logging.getLogger("pinsync.delivery")

# A start that comes later than this after its slot would crowd the next one: the slot is void, another is taken.
LATEST_START = 0.02
# Stretches 150 ms to 152.5 ms. What the partner sees is when requests arrive: 8 starts span 7 gaps, of which 48 ms more
# than a second are left for what lies between a start and its arrival; and 400 gaps outlast a minute by a second.
MARGIN = 1.0167

# Seconds between a turn and the last byte of its request that the margin has room for, beside what lies on the way.
LATEST_END = 0.01

LONGEST_WAIT = 2.0  # a slot further away is not taken; the work comes back later
MOST_SLOWDOWN = 16.0
ONE_SPELL = 60.0  # seconds after a limit in which the next refusal belongs to it
RECOVERY = 0.9  # of the slowdown remains after each accepted request


_meeting = Meeting()  # a slot is a moment of the database's clock, and slept for by this machine's


class TurnTooFar(Exception):
    """The next free slot is `seconds` away, further than the caller would wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The next slot is {seconds:.1f} s away")
        self.seconds = seconds


def pace_of(connection_: Connection) -> Pace:
    """Return the pace of the connection's partner user, shared with every other workspace of that person."""
    partner, person = connection_.partner, connection_.partner_user_id
    found = get_row(Pace, partner=partner, partner_user_id=person)
    return found or Pace.objects.get_or_create(partner=partner, partner_user_id=person)[0]


def spacing(partner_slug: str) -> float:
    """Return the seconds between two starts at full pace."""
    return registry.partner(partner_slug).seconds_between_writes * MARGIN


def gap(partner_slug: str, slowdown: float = 1.0) -> float:
    """Return the seconds between two starts that are in force: the person's, or the app's where it has a quota."""
    quota = rationing.quota_of(partner_slug)
    return max(spacing(partner_slug) * slowdown, rationing.gap(quota) if quota else 0.0)


def take_turn(pace: Pace, *, at_most: float = LONGEST_WAIT) -> float:
    """Sleep until this caller's slot and return the seconds waited. Raises TurnTooFar without having waited."""
    quota = rationing.quota_of(pace.partner)
    latest_start = max(LATEST_START, rationing.latest_start(quota)) if quota else LATEST_START
    waited = 0.0
    while True:
        wait = reserve(pace, at_most=at_most)
        slot = time.monotonic() + wait
        time.sleep(max(wait, 0))
        waited += max(wait, 0)
        if time.monotonic() - slot <= latest_start:
            return waited


def left(pace: Pace, late: float) -> None:
    """Take note that a request has left `late` seconds after its turn came.

    On a crowded machine that may be long, and the eighth request after it would arrive within a second of it: the
    slots that are still free move back by as much.
    """
    if late <= LATEST_END:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE integrations_pace SET next_slot = next_slot + %s WHERE id = %s", [late, pace.pk])
    except DatabaseError:  # the request is on its way, and its answer matters more
        log.warning("a late request could not be noted", extra={"pace": pace.pk})


def reserve(pace: Pace, *, at_most: float) -> float:
    """Take the next slot and return how many seconds away it is. Raises TurnTooFar, and takes none then."""
    quota = rationing.quota_of(pace.partner)
    return _reserve_both(pace, quota, at_most=at_most) if quota else _reserve(pace, at_most=at_most)


def seconds_to_next_slot(pace: Pace) -> float:
    """Return how far the next free slot is; 0 when it is now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {greatest_sql('next_slot', 'blocked_until', clock_sql())} - {clock_sql()}"
            " FROM integrations_pace WHERE id = %s",
            [pace.pk],
        )
        row = cursor.fetchone()
    return max(float(row[0]) if row else 0.0, rationing.next_slot_in(pace.partner))


def slow_down(pace: Pace, retry_after: timedelta | None) -> None:
    """Obey a 429: wait as long as it says; when it does not say, or asks for no wait, halve the pace."""
    if rationing.quota_of(pace.partner) is not None:
        rationing.block(pace.partner, retry_after or timedelta(seconds=1))  # it may be the limit of the whole app
    clock = clock_sql()
    # When a row of refusals began: users are not given up for hours in which the partner let nothing through.
    began = f"blocked_at = CASE WHEN blocked_until > {clock} - {ONE_SPELL} THEN blocked_at ELSE {clock} END"
    with connection.cursor() as cursor:
        if retry_after:
            cursor.execute(
                f"UPDATE integrations_pace SET {began},"
                f" blocked_until = {greatest_sql('blocked_until', f'{clock} + %s')} WHERE id = %s",
                [retry_after.total_seconds(), pace.pk],
            )
        else:
            cursor.execute(
                f"UPDATE integrations_pace SET {began},"
                f" blocked_until = {greatest_sql('blocked_until', f'{clock} + 1')},"
                # Of requests that were under way together, the first refusal halves the pace for all.
                f" slowdown = CASE WHEN blocked_until > {clock} THEN slowdown"
                " WHEN slowdown * 2 > %s THEN %s ELSE slowdown * 2 END WHERE id = %s",
                [MOST_SLOWDOWN, MOST_SLOWDOWN, pace.pk],
            )


def recover(pace: Pace) -> None:
    """Forget a little of what a 429 taught, after a request that was accepted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_pace SET slowdown ="
            " CASE WHEN slowdown * %s < 1.05 THEN 1 ELSE slowdown * %s END WHERE id = %s AND slowdown > 1",
            [RECOVERY, RECOVERY, pace.pk],
        )


def _reserve(pace: Pace, *, at_most: float) -> float:
    """Take the person's next slot: one statement, as this is asked for every request."""
    clock = clock_sql()
    free = greatest_sql("next_slot", "blocked_until", clock)
    gap = spacing(pace.partner)
    with prepared() as cursor:
        asked = time.monotonic()
        cursor.execute(
            f"UPDATE integrations_pace SET next_slot = {free} + slowdown * %s"
            f" WHERE id = %s AND {free} - {clock} <= %s"
            f" RETURNING next_slot - slowdown * %s, {clock}",
            [gap, pace.pk, at_most, gap],
        )
        row = next(iter(cursor.fetchall()), None)  # to the end: SQLite commits no earlier
        heard = time.monotonic()
    if row is None:
        raise TurnTooFar(seconds_to_next_slot(pace))
    return _meeting.seconds_until(float(row[0]), told=float(row[1]), asked=asked, heard=heard)


def _reserve_both(pace: Pace, quota: Quota, *, at_most: float) -> float:
    """Take the next slot that both the app and the person have, and return how many seconds away it is."""
    with writing():
        app = rationing.hold(pace.partner)  # first, whoever takes both: so nobody waits for each other
        person = Pace.objects.select_for_update().get(pk=pace.pk)
        asked = time.monotonic()
        clock = read_clock()
        heard = time.monotonic()
        slot = max(app.next_slot, app.blocked_until, person.next_slot, person.blocked_until, clock)
        if slot - clock > at_most:
            raise TurnTooFar(slot - clock)
        AppPace.objects.filter(pk=app.pk).update(next_slot=slot + rationing.gap(quota), claimed_until=0)
        Pace.objects.filter(pk=pace.pk).update(next_slot=slot + person.slowdown * spacing(pace.partner))
    return _meeting.seconds_until(slot, told=clock, asked=asked, heard=heard)
