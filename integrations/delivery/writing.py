"""One writer at a time within this process, where the database allows only one anyway."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

_turn = threading.Lock()


@contextmanager
def writing() -> Iterator[None]:
    """Open a transaction. On SQLite the threads of a process queue here: its own busy handler sleeps up to 100 ms."""
    if connection.vendor == "sqlite":
        with _turn, transaction.atomic():
            yield
    else:
        with transaction.atomic():
            yield
