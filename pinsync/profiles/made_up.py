"""Made-up users for the simulator: through the same door as all others."""

import time
from datetime import datetime
from random import Random

from django.db import transaction

from pinsync.profiles.importing import ROWS_PER_CHUNK
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import
from pinsync.profiles.rows import Row, Value, make_row
from pinsync.profiles.sample_csv import address, advertising_id
from pinsync.profiles.upserting import write
from pinsync.workspaces.models import Workspace

_FIELDS = (("email",), ("idfa",), ("gaid",), ("email", "idfa"), ("email", "gaid"), ("email", "idfa", "gaid"))
_USELESS: tuple[dict[str, str], ...] = (
    {},
    {"email": "n/a"},
    {"idfa": "00000000-0000-0000-0000-000000000000"},
    {"email": "no address", "gaid": "-"},
)


def make_profiles(
    workspace: Workspace,
    n: int,
    missing_share: float,
    *,
    seed: int,
    now: datetime,
    carry: MatchField | None = None,
    name: str = "",
) -> Import:
    """Make `n` users of whom round(n × missing_share) carry no usable field; return their finished Import.

    The others carry the fields `carry`, or each a few of their own. Their external IDs are `sim-<import>-000001` and so
    on. The same seed makes the same values.
    """
    run = begin(workspace, name or f"{n:,} made-up users")
    go_on(run, n, missing_share, seed=seed, now=now, carry=carry)
    return run


def begin(workspace: Workspace, name: str) -> Import:
    """Return an Import without users, for `go_on`."""
    return Import.objects.create(workspace=workspace, name=name, state=Import.State.RUNNING)


def go_on(
    run: Import,
    n: int,
    missing_share: float,
    *,
    seed: int,
    now: datetime,
    carry: MatchField | None = None,
    seconds: float | None = None,
) -> bool:
    """Make the users that a run still lacks, or as many as fit into about `seconds`; return whether all are there.

    Safe to repeat after a crash: what was made is saved with how far the run has come. One caller at a time.
    """
    if n < 0 or not 0 <= missing_share <= 1:
        raise ValueError("n must not be negative, and missing_share must lie between 0 and 1.")
    began = time.monotonic()
    missing = round(n * missing_share)
    while run.rows < n:
        first = run.rows
        random = Random(seed + first * 1_000_003)  # of its own for each chunk, so that a run can be taken up anywhere
        # Spread over the whole: number k lacks everything when the count of such users grows with it.
        rows = [
            _row(random, run, number, carry, useless=(number + 1) * missing // n > number * missing // n)
            for number in range(first, min(n, first + ROWS_PER_CHUNK))
        ]
        with transaction.atomic():
            written = write(run.workspace, rows, run=run, now=now)
            run.rows += len(rows)
            run.created += written.created
            run.save(update_fields=["rows", "created"])
        if seconds is not None and time.monotonic() - began > seconds and run.rows < n:
            return False
    Import.objects.filter(pk=run.pk).update(state=Import.State.DONE, finished_at=now)
    run.refresh_from_db()
    return True


def _row(random: Random, run: Import, number: int, carry: MatchField | None, *, useless: bool) -> Row:
    values = random.choice(_USELESS) if useless else _usable(random, run, number, carry)
    attributes: dict[str, Value] = {"made_up": True, "number": number + 1}
    return make_row(
        f"sim-{run.pk}-{number + 1:06}",
        values.get("email", ""),
        values.get("idfa", ""),
        values.get("gaid", ""),
        attributes,
    )


def _usable(random: Random, run: Import, number: int, carry: MatchField | None) -> dict[str, str]:
    make = {
        "email": lambda: f"{run.pk}." + address(random, number + 1),
        "idfa": lambda: advertising_id(random).upper(),
        "gaid": lambda: advertising_id(random),
    }
    return {name: make[name]() for name in (carry.names if carry else random.choice(_FIELDS))}
