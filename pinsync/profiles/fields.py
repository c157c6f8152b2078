"""A column that both databases compare in the same way."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class PlainCharField(models.CharField):
    """Text that is compared character by character, as SQLite does anyway, whatever language the database speaks.

    In no other order are those who begin with a text one stretch of an index.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        found: dict[str, Any] = {**super().db_parameters(connection)}
        return found | {"collation": "C"} if connection.vendor == "postgresql" else found
