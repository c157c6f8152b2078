"""Doors for the task queue: ids in, one domain call. Safe to run twice."""

import logging

from django.db import OperationalError
from django.utils import timezone

from pinsync.profiles import importing
from pinsync.profiles.models import Import

log = logging.getLogger("pinsync.profiles")

SECONDS = 20.0  # then others take their turn; far below the queue's timeout


def continue_import(pk: int) -> None:
    """Work on one run for a while, and ring again when there is more."""
    run = Import.objects.select_related("workspace").filter(pk=pk, path__gt="").first()
    if run is None:
        return
    try:
        with importing.stored(run).open("rb") as file:
            run = importing.run_import(run, file, now=timezone.now(), seconds=SECONDS)
    except FileNotFoundError:
        importing.finish(run, Import.State.FAILED, "file_gone", now=timezone.now())
    except OperationalError:
        raise  # the database was away or busy: the lease runs out, and the next worker goes on
    except Exception:
        importing.finish(run, Import.State.FAILED, "failed", now=timezone.now())
        log.exception("import failed", extra={"import": pk})
        raise
    if run.state == Import.State.WAITING:
        importing.ring(run)


def tick() -> None:
    """Take up imports that were left lying."""
    importing.take_up(timezone.now())
