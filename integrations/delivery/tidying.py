"""The waiting table is a queue: what was claimed leaves dead rows, in front of those who wait.

PostgreSQL walks over them for every look and every claim until they are vacuumed, and its own daemon comes once a
minute: by then a lane at full pace has left 760,000.
"""

import time

from django.db import connection

from integrations.models import Arrival

TIDYING = 0.03  # of a process's time may go into it: where millions wait, it walks past all of them

_rest_until = 0.0  # monotonic


def tidy() -> None:
    """Vacuum the waiting table; where others are at it, leave it to them. Takes some 50 ms for 100,000 dead rows."""
    global _rest_until
    began = time.monotonic()
    if connection.vendor != "postgresql" or connection.in_atomic_block or began < _rest_until:
        return
    with connection.cursor() as cursor:
        # TRUNCATE would lock everybody out; and the table fills again at once.
        cursor.execute(f"VACUUM (SKIP_LOCKED, TRUNCATE OFF) {Arrival._meta.db_table}")
    _rest_until = began + (time.monotonic() - began) / TIDYING
