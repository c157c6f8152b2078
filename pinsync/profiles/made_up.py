"""Made-up users for the simulator: through the same door as all others."""

from datetime import datetime
from random import Random

from django.db import transaction

from pinsync.profiles.importing import ROWS_PER_CHUNK
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


def make_profiles(workspace: Workspace, n: int, missing_share: float, *, seed: int, now: datetime) -> Import:
    """Make `n` users of whom round(n × missing_share) carry no usable field; return their finished Import.

    Their external IDs are `sim-<import>-000001` and so on. The same seed makes the same values.
    """
    if n < 0 or not 0 <= missing_share <= 1:
        raise ValueError("n must not be negative, and missing_share must lie between 0 and 1.")
    random = Random(seed)
    run = Import.objects.create(workspace=workspace, name=f"{n:,} made-up users", state=Import.State.RUNNING)
    missing = round(n * missing_share)
    for first in range(0, n, ROWS_PER_CHUNK):
        numbers = range(first, min(n, first + ROWS_PER_CHUNK))
        # Spread over the whole: number k lacks everything when the count of such users grows with it.
        rows = [
            _row(random, run, number, useless=(number + 1) * missing // n > number * missing // n) for number in numbers
        ]
        with transaction.atomic():
            written = write(workspace, rows, run=run, now=now)
            run.rows += len(rows)
            run.created += written.created
            run.save(update_fields=["rows", "created"])
    Import.objects.filter(pk=run.pk).update(state=Import.State.DONE, finished_at=now)
    run.refresh_from_db()
    return run


def _row(random: Random, run: Import, number: int, *, useless: bool) -> Row:
    values = random.choice(_USELESS) if useless else _usable(random, run, number)
    attributes: dict[str, Value] = {"made_up": True, "number": number + 1}
    return make_row(
        f"sim-{run.pk}-{number + 1:06}",
        values.get("email", ""),
        values.get("idfa", ""),
        values.get("gaid", ""),
        attributes,
    )


def _usable(random: Random, run: Import, number: int) -> dict[str, str]:
    make = {
        "email": lambda: f"{run.pk}." + address(random, number + 1),
        "idfa": lambda: advertising_id(random).upper(),
        "gaid": lambda: advertising_id(random),
    }
    return {name: make[name]() for name in random.choice(_FIELDS)}
