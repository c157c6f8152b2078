"""Calls that a program may repeat without anything happening twice (Idempotency-Key)."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from canvas.models import ApiCall
from pinsync.workspaces.models import Workspace

KEPT_FOR = timedelta(hours=24)


class KeyReused(Exception):
    """The key was sent before with another call."""


def once(
    workspace: Workspace, key: str, call: bytes, work: Callable[[], dict[str, Any]], *, now: datetime
) -> dict[str, Any]:
    """Return what `work` answers, or what it answered to the same call with the same key in the last day.

    In one transaction: of two at once, the second waits for the first. Without a key, `work` is simply done.
    Raises KeyReused.
    """
    if not key:
        return work()
    digest = hashlib.sha256(call).hexdigest()
    with transaction.atomic():
        earlier, created = ApiCall.objects.get_or_create(
            workspace=workspace, key=key, defaults={"digest": digest, "at": now}
        )
        if not created:
            if earlier.digest != digest:
                raise KeyReused
            return dict(earlier.answer)
        earlier.answer = work()
        earlier.save(update_fields=["answer"])
    return dict(earlier.answer)


def forget(now: datetime) -> None:
    """Delete the calls that nobody repeats any more."""
    old = ApiCall.objects.filter(at__lt=now - KEPT_FOR)
    if old.exists():
        old.delete()
