"""Encrypt every stored token with the newest key of PINSYNC_TOKEN_KEYS, so that older keys can be thrown away."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.core.management.base import BaseCommand
from django.db import connection, models

from integrations.fields import EncryptedField, rotate
from integrations.models import Authorization, Connection

# New key first in PINSYNC_TOKEN_KEYS, restart, run this, remove the old key, restart.


class Command(BaseCommand):
    help = (
        "Encrypts all stored tokens with the newest key. Run it after a new key was put first, then drop the old one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done = unreadable = 0
        for model in (Connection, Authorization):
            for field in model._meta.get_fields():
                if isinstance(field, EncryptedField):
                    rotated, failed = _rotate_column(model, field)
                    done, unreadable = done + rotated, unreadable + failed
        self.stdout.write(f"{done} tokens are encrypted with the newest key.")
        if unreadable:
            self.stderr.write(
                f"{unreadable} tokens can be read with no key of PINSYNC_TOKEN_KEYS: "
                "add the key they were written with, or reconnect them."
            )


def _rotate_column(model: type[models.Model], field: EncryptedField) -> tuple[int, int]:
    """Rewrite one column, as it is stored. A token that is replaced meanwhile is left alone: it is new already."""
    quote = connection.ops.quote_name
    table, column = quote(model._meta.db_table), quote(str(field.column))
    done = failed = 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, {column} FROM {table} WHERE {column} <> ''")
        for pk, stored in cursor.fetchall():
            try:
                fresh = rotate(stored)
            except InvalidToken:
                failed += 1
                continue
            cursor.execute(
                f"UPDATE {table} SET {column} = %s WHERE id = %s AND {column} = %s",
                [fresh, pk, stored],
            )
            done += 1
    return done, failed
