"""The files that tests need and the clone does not hold: a messy customer export, and Pinterest's own description.

Looked for in tests/data, then in the folders beside the clone, unless the environment names them. Tests skip without
them; .ci/run fails. Imports nothing but the standard library: .ci/run looks before anything is installed.
"""

import os
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
BUNDLED = CLONE / "tests" / "data"


def _file(variable: str, name: str) -> Path:
    """Return the file called `name`; the variable names it or its folder."""
    if named := os.environ.get(variable, "").strip():
        return Path(named) / name if Path(named).is_dir() else Path(named)
    beside = (found for found in sorted(CLONE.parent.glob(f"*/*/{name}")) if CLONE not in found.parents)
    return BUNDLED / name if (BUNDLED / name).is_file() else next(beside, BUNDLED / name)


CUSTOMERS = _file("PINSYNC_TEST_DATA", "customers-5k.csv")
EXPECTED = CUSTOMERS.with_name("customers-5k.expected.json")
OPENAPI = _file("PINSYNC_PINTEREST_OPENAPI", "openapi-v5.23-audiences.json")


def missing() -> list[str]:
    """Return a sentence for each file that is not there."""
    return [
        f"{path.name} is not in {path.parent}; {variable} names another place."
        for path, variable in (
            (CUSTOMERS, "PINSYNC_TEST_DATA"),
            (EXPECTED, "PINSYNC_TEST_DATA"),
            (OPENAPI, "PINSYNC_PINTEREST_OPENAPI"),
        )
        if not path.is_file()
    ]
