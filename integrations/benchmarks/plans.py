"""How the database goes about the statements of a piece of work: asked for each, right before it is executed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from integrations.models import Arrival, Attempt, Batch, Delivery
from pinsync.profiles.models import Profile

LARGE = tuple(model._meta.db_table for model in (Arrival, Attempt, Batch, Delivery, Profile))
_READS = re.compile(r"(Scan|SEARCH|SCAN)\b")
_WHOLE = re.compile(rf"(Seq Scan on|SCAN) ({'|'.join(LARGE)})\b(?!.*INDEX)")


@dataclass
class Plans:
    """Give it to `connection.execute_wrapper`. Statements that are the same but for their values count once."""

    seen: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        name = " ".join(sql.split())
        if not many and name not in self.seen and re.match(r"(SELECT|WITH|UPDATE|INSERT|DELETE)\b", name):
            self.seen[name] = [line for line in _explain(sql, params) if _READS.search(line)]
        return execute(sql, params, many, context)

    def of_large_tables(self) -> list[dict[str, Any]]:
        """Return statement and plan of those that read one of the tables that grow with the number of users."""
        return [
            {"statement": name[:160], "reads": lines}
            for name, lines in self.seen.items()
            if any(table in name for table in LARGE) and lines
        ]

    def whole_tables(self) -> list[str]:
        """Return the lines of plans that read a large table from its beginning to its end."""
        return [line for lines in self.seen.values() for line in lines if _WHOLE.search(line)]


def _explain(sql: str, params: Any) -> list[str]:
    raw = connection.connection.cursor()
    try:
        if connection.vendor == "postgresql":
            raw.execute(f"EXPLAIN (COSTS OFF) {sql}", params)
        else:
            raw.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%s", "?").replace("%%", "%"), params or ())
        return [str(row[-1]).strip() for row in raw.fetchall()]
    finally:
        raw.close()
