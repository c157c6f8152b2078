"""When the next write request of a connection may start, and when the next tick comes: one question for pages."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection as database

from integrations.delivery import rationing
from integrations.delivery.clock import clock_sql
from integrations.models import Connection

LONG_AGO = datetime.fromtimestamp(0, UTC)  # nothing started then


@dataclass(frozen=True)
class Timetable:
    """As of now. Times are in seconds."""

    next_slot_in: float  # of the person and, where the partner has a quota of our app, of the app
    is_blocked: bool  # the partner asked for no requests until some time that has not come
    slowdown: float  # 1 at full pace
    last_tick: float  # since the epoch; 0 when there was none
    requests: int  # write requests of the person that started in the minute asked for, in every workspace


def read(connection: Connection | None, *, minute_to: datetime = LONG_AGO) -> Timetable:
    """Return the timetable of a connection, in one query; of none, there is nothing to wait for."""
    partner, person = (connection.partner, connection.partner_user_id) if connection else ("", "")
    with database.cursor() as cursor:
        minute = map(database.ops.adapt_datetimefield_value, (minute_to - timedelta(minutes=1), minute_to))
        cursor.execute(_TABLE.format(clock=clock_sql()), [*minute, partner, person, partner])
        clock, slot, blocked, slowdown, app_slot, app_blocked, tick, requests = map(float, cursor.fetchone())
    if not partner or rationing.quota_of(partner) is None:
        app_slot = app_blocked = 0.0
    free = max(slot, blocked, app_slot, app_blocked)
    return Timetable(max(free - clock, 0.0), max(blocked, app_blocked) > clock, slowdown, tick, int(requests))


_TABLE = """
SELECT now.clock, COALESCE(p.next_slot, 0), COALESCE(p.blocked_until, 0), COALESCE(p.slowdown, 1),
    COALESCE(a.next_slot, 0), COALESCE(a.blocked_until, 0), COALESCE(t.last_at, 0),
    (SELECT count(*) FROM integrations_attempt made
     WHERE made.pace_id = p.id AND made.started_at > %s AND made.started_at <= %s)
FROM (SELECT {clock} AS clock) now
LEFT JOIN integrations_pace p ON p.partner = %s AND p.partner_user_id = %s
LEFT JOIN integrations_apppace a ON a.partner = %s
LEFT JOIN integrations_tick t ON t.id = 1
"""
