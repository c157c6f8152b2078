"""A made-up customer export, as messy as real ones: for the demo, the simulator, and whoever wants to try an import.

Everything in it is invented here: names of no language, addresses at example.com and example.org only.
"""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TextIO
from uuid import UUID

SAMPLE = Path(__file__).resolve().parent / "sample" / "customers.csv"
ROWS = 2_000
HEADER = (
    "external_id",
    "email",
    "Apple IDFA",
    "Google Advertising ID",
    "name",
    "country",
    "loyalty_level",
    "newsletter",
    "orders",
    "total_spent",
    "last_purchase_at",
)
_START = ("Al", "Bri", "Ca", "Do", "El", "Fa", "Gri", "Ha", "Ju", "Ka", "Lo", "Mi", "No", "Pe", "Ra", "So", "Ti", "Vi")
_MIDDLE = ("ba", "den", "la", "lo", "mi", "na", "ri", "ro", "sa", "ta", "ve", "zu")
_END = ("", "l", "n", "na", "r", "ra", "s", "t")
_NOT_EMAILS = (
    "n/a",
    "-",
    "none",
    "unknown@",
    "@example.com",
    "{0}@@example.com",
    "{0}.example.com",
    "{0} @example.org",
)
_NOT_IDS = ("00000000-0000-0000-0000-000000000000", "N/A", "null", "{0}-00")
_LATEST = datetime(2026, 10, 31, 12, tzinfo=UTC)


def write_sample(file: TextIO, *, rows: int = ROWS, seed: int = 2026) -> None:
    """Write a header and `rows` rows; the same seed writes the same file."""
    random = Random(seed)
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(HEADER)
    people: list[list[str]] = []
    for number in range(1, rows + 1):
        if people and random.random() < 0.01:  # the same customer again, some columns left out
            row = list(random.choice(people))
            row[2:] = [cell if random.random() < 0.5 else "" for cell in row[2:]]
        elif random.random() < 0.004:  # nobody can say who this was
            row = ["", "", *_person(random, number)[2:]]
        else:
            row = _person(random, number)
            people.append(row)
        writer.writerow(row)


def advertising_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def address(random: Random, number: int) -> str:
    return f"{_word(random).lower()}.{number}@{random.choice(('example.com', 'example.org'))}"


def _person(random: Random, number: int) -> list[str]:
    name = f"{_word(random)} {_word(random)}"
    latest = _LATEST - timedelta(minutes=random.randrange(60 * 24 * 600))
    return [
        f"sample-{number:06}",
        _email(random, number),
        _device(random, 0.42).upper(),
        _device(random, 0.42),
        _written(random, name),
        random.choices(("KR", "US", "DE", "JP", "FR", "ES"), (6, 5, 3, 3, 2, 2))[0],
        random.choices(("gold", "silver", "bronze", ""), (1, 3, 5, 2))[0],
        random.choices(("true", "false", ""), (5, 3, 2))[0],
        str(int(random.expovariate(0.4))),
        f"{random.expovariate(0.02):.2f}",
        latest.strftime("%Y-%m-%dT%H:%M:%SZ") if random.random() < 0.85 else "",
    ]


def _email(random: Random, number: int) -> str:
    email = address(random, number)
    look = random.random()
    if look < 0.10:
        return ""
    if look < 0.16:
        return random.choice(_NOT_EMAILS).format(email.partition("@")[0])
    if look < 0.22:
        return email.upper()
    if look < 0.26:
        return f"  {email.title()} "
    return f"\N{NO-BREAK SPACE}{email}\N{ZERO WIDTH SPACE}" if look < 0.28 else email


def _device(random: Random, share: float) -> str:
    look = random.random()
    if look < 0.05:
        return random.choice(_NOT_IDS).format(advertising_id(random))
    return advertising_id(random) if look < share else ""


def _written(random: Random, name: str) -> str:
    look = random.random()
    if look < 0.01:
        return name.replace(" ", "\n")
    if look < 0.03:
        return f"{name}, “VIP”"
    return f'{name} "{name[:3]}"' if look < 0.05 else name


def _word(random: Random) -> str:
    return random.choice(_START) + random.choice(_MIDDLE) + random.choice(_END)
