"""Marked people and secrets, and the search for them in everything that Pinsync leaves behind."""

import hashlib
import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection as database
from django_q.models import OrmQ, Task

from integrations.models import Authorization, Connection
from pinsync.logs import OWN, Json, Line

WORD = "leakmarker"
AD_ID = "feedface-dead-4bad-8bad-{:012x}"
OURS = ("pinsync", "integrations", "canvas")
# Where people's data and secrets belong: the brand's users themselves, and their records until a change is followed.
HOME = {"profiles_profile", "profiles_recordchange", "integrations_correction"}


def address(n: int) -> str:
    return f"{WORD}{n}@{WORD}.example"


def values(n: int) -> dict[str, str]:
    """Return what a marked user is known by; the address is written as people write it."""
    return {"email": address(n).title(), "idfa": AD_ID.format(2 * n).upper(), "gaid": AD_ID.format(2 * n + 1)}


def needles(people: int) -> dict[str, str]:
    """Return what must be found nowhere, in lower case, with what it is."""
    found = {WORD: "an address or an attribute", "feedface-dead": "an ad id", "feedfacedead": "an ad id"}
    for n in range(people):
        for kind, value in values(n).items():
            for normal in {value, value.lower()}:
                for name in ("sha256", "sha1", "md5"):
                    digest = hashlib.new(name, normal.encode()).hexdigest()
                    found[digest] = f"the {name} of an {kind}"
                    found[digest[:20]] = f"a part of the {name} of an {kind}"
    return found


class Secrets:
    """Tokens, codes and keys, collected while they are known; also what they are encrypted to and hashed to."""

    def __init__(self, *known: str) -> None:
        self.known = {one for one in known if one}

    def collect(self) -> None:
        """Note the tokens that the database holds now."""
        for model in (Connection, Authorization):
            for one in model.objects.all():
                self.known |= {token for token in (one.access_token, one.refresh_token) if token}

    def needles(self, *, digests: bool = True) -> dict[str, str]:
        found = {one.lower(): "a secret" for one in self.known}
        if digests:
            found |= {hashlib.sha256(one.encode()).hexdigest(): "the SHA-256 of a secret" for one in self.known}
        return found


def found_in(text: str, sought: dict[str, str]) -> list[str]:
    """Return what of `sought` is in a text, with what stands around it."""
    lowered = text.lower()
    places = ((what, lowered.find(needle)) for needle, what in sought.items())
    return [f"{what}: …{text[max(place - 120, 0) : place + 120]!r}…" for what, place in places if place >= 0]


class Recorder(logging.Handler):
    """Everything that is logged, as both formats write it; what our own loggers are given also as it is."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [Line().format(record), Json().format(record)]
        if record.name.split(".")[0] in OURS:
            extras = {name: value for name, value in vars(record).items() if name not in OWN}
            self.lines.append(f"{record.getMessage()} {record.args!r} {extras!r}")


@contextmanager
def everything_logged() -> Iterator[Recorder]:
    """Record all that is logged meanwhile, whatever its level, as far as the settings let it be made."""
    root = logging.getLogger()
    recorder, level = Recorder(), root.level
    root.addHandler(recorder)
    root.setLevel(logging.DEBUG)
    try:
        yield recorder
    finally:
        root.removeHandler(recorder)
        root.setLevel(level)


def as_text(error: BaseException) -> str:
    """Return all that an exception could print about itself and what led to it."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def tables() -> Iterator[tuple[str, str]]:
    """Yield the raw contents of every table in which no user's data belongs, as the database keeps it."""
    with database.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if table not in HOME:
                cursor.execute(f'SELECT * FROM "{table}"')
                yield table, "\n".join(map(repr, cursor.fetchall()))
    # These are kept packed.
    for task in OrmQ.objects.all():
        yield "the queue", repr(task.task)
    for done in Task.objects.all():
        yield "the results of tasks", repr(vars(done))
    for session in Session.objects.all():
        yield "sessions", repr(session.get_decoded())


def leaks(texts: Iterable[tuple[str, str]], sought: dict[str, str]) -> list[str]:
    """Return every finding as “where: what”."""
    return [f"{where}: {what}" for where, text in texts for what in found_in(text, sought)]
