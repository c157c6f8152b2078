"""Hands for the search: marked people, the search through everything, a database that refuses."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection as database
from django.utils import timezone

from pinsync.profiles import matching
from pinsync.profiles.models import Profile
from tests.integrations.delivery.leaks import WORD, address, leaks, needles, tables, values

PEOPLE = 6
ATTRIBUTES = {"name": f"{WORD} Smith"}


def marked(workspace, number=PEOPLE):
    """Make marked users and return them as a queryset."""
    now = timezone.now()
    for n in range(number):
        known = values(n)
        found = matching.records(known["email"], known["idfa"], known["gaid"])
        Profile.objects.create(
            workspace=workspace,
            external_id=f"id-{n}",
            email_record=found[0],
            idfa_record=found[1],
            gaid_record=found[2],
            attributes=ATTRIBUTES,
            created_at=now,
            updated_at=now,
            **known,
        )
    return Profile.objects.filter(workspace=workspace)


def search(secrets, log, *texts: tuple[str, str]) -> list[str]:
    """Return every leak, into the log, the given texts and all tables."""
    secrets.collect()
    said = [("log", "\n".join(log.lines)), *texts]
    people = needles(PEOPLE)
    kept = list(tables())
    return leaks(said, people | secrets.needles()) + leaks(kept, people | secrets.needles(digests=False))


@contextmanager
def refusing() -> Iterator[None]:
    """Let the database refuse marked users, and say in its error whom."""
    if database.vendor == "postgresql":
        begin = f"ALTER TABLE profiles_profile ADD CONSTRAINT refused CHECK (email NOT ILIKE '{WORD}%%') NOT VALID"
        end = "ALTER TABLE profiles_profile DROP CONSTRAINT refused"
    else:
        begin = (
            f"CREATE TRIGGER refused BEFORE INSERT ON profiles_profile WHEN NEW.email LIKE '{WORD}%%'"
            f" BEGIN SELECT RAISE(ABORT, 'Failing row contains {address(0)} Key ({values(0)['idfa']}) exists'); END"
        )
        end = "DROP TRIGGER refused"
    with database.cursor() as cursor:
        cursor.execute(begin.replace("%%", "%"))
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute(end)
