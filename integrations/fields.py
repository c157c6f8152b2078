"""Columns of our own: one that only holders of PINSYNC_TOKEN_KEYS can read, one to search names by."""

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.TOKEN_KEYS])


def rotate(stored: str) -> str:
    """Return `stored` encrypted with the newest key. Raises InvalidToken when no key fits."""
    return _keys().rotate(stored.encode()).decode()


class Unreadable(str):
    """What comes back when no key fits: empty, so that nothing can be sent, and told apart from "not set"."""


class EncryptedField(models.TextField):
    """Encrypt on the way in, decrypt on the way out; the newest key writes, every key reads.

    A wrong key gives `Unreadable()`, which callers take as "reconnect": the ciphertext never poses as a token.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return _keys().encrypt(value.encode()).decode() if value else ""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str:
        if not value:
            return ""
        try:
            return _keys().decrypt(value.encode()).decode()
        except InvalidToken:
            return Unreadable()

    def get_lookup(self, lookup_name: str) -> Any:
        raise TypeError("An encrypted column cannot be searched.")


def fold(text: str) -> str:
    """Return `text` as names are compared: without regard to case, in every script and on every database."""
    return text.casefold()


class FoldedField(models.CharField):
    """A copy of another column as `fold` gives it: SQLite’s LIKE knows upper and lower case in ASCII only."""

    def __init__(self, *args: Any, of: str = "", **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = fold(str(getattr(model_instance, self.of)))[: self.max_length]
        setattr(model_instance, self.attname, value)
        return value
