"""What partners need now and then, piece by piece."""

import pytest
from django.db import OperationalError
from django.utils import timezone

from integrations import upkeep
from integrations.errors import Unavailable

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "problem", [Unavailable(), OperationalError("deadlock detected")], ids=lambda one: one.__class__
)
def test_a_piece_that_fails_holds_up_none_behind_it(monkeypatch, problem):
    done: list[str] = []

    def fail() -> None:
        raise problem

    pieces = [("good", lambda: done.append("first")), ("bad", fail), ("good", lambda: done.append("last"))]
    monkeypatch.setattr(upkeep, "_due", lambda now: iter(pieces))
    assert upkeep.keep(timezone.now()) == 2
    assert done == ["first", "last"]
