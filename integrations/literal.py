"""A constant that stands in the SQL itself.

SQLite uses a partial index where it can see that the query keeps to the index's condition; a parameter it can't see
through.
"""

from typing import Any

from django.db.models import Value


class Literal(Value):
    """A word, for `filter(state=Literal(...))`. Never for what a person gave."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[()]]:
        assert str(self.value).isidentifier()
        return f"'{self.value}'", ()
