"""The few places at which processes may deliver at once, leased for seconds."""

import uuid

from django.conf import settings
from django.db import connection

from integrations.delivery.clock import clock_sql
from integrations.models import Seat

LEASE = 10.0  # seconds; a killed holder's seat falls free after it
RENEW_EVERY = 3.0


def take() -> uuid.UUID | None:
    """Sit down if a seat is free; return what to `keep` and `leave` it by."""
    holder = uuid.uuid4()
    Seat.objects.bulk_create([Seat(number=n) for n in range(settings.DELIVERY_SEATS)], ignore_conflicts=True)
    clock = clock_sql()
    with connection.cursor() as cursor:
        for number in range(settings.DELIVERY_SEATS):
            cursor.execute(
                f"UPDATE integrations_seat SET holder = %s, until = {clock} + %s"
                f" WHERE number = %s AND until <= {clock}",
                [_value(holder), LEASE, number],
            )
            if cursor.rowcount:
                return holder
    return None


def keep(holder: uuid.UUID) -> bool:
    """Renew the lease; return whether the seat was still ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE integrations_seat SET until = {clock_sql()} + %s WHERE holder = %s", [LEASE, _value(holder)]
        )
        return bool(cursor.rowcount)


def offer(holder: uuid.UUID) -> None:
    """Let somebody else sit down at once; the holder `has` the seat until somebody does."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE integrations_seat SET until = 0 WHERE holder = %s", [_value(holder)])


def has(holder: uuid.UUID) -> bool:
    """Return whether nobody else has sat down in the holder's place."""
    return Seat.objects.filter(holder=holder).exists()


def leave(holder: uuid.UUID) -> None:
    Seat.objects.filter(holder=holder).update(holder=None, until=0)


def _value(holder: uuid.UUID) -> str | uuid.UUID:
    """Return the id as the database keeps it: SQLite has no type for it."""
    return holder if connection.features.has_native_uuid_field else holder.hex
