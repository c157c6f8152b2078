"""What partners need now and then: fresh tokens, told people, finished creations, a young copy of the audiences."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from integrations import ad_accounts, audiences, consenting, creating, lookalikes, telling, tokens
from integrations.delivery import recreating
from integrations.delivery.reading import in_background
from integrations.errors import PartnerError

log = logging.getLogger("pinsync.connections")

SECONDS = 15.0  # no new call is begun after that; with the longest call it stays below the queue's timeout of 60 s
COPIES_AT_ONCE = 3


def keep(now: datetime, *, seconds: float = SECONDS) -> int:
    """Do what is due, for about `seconds`; return how many calls went well. The rest comes next time.

    Safe to run at any time and by several processes at once: each piece of work is leased to one of them, and what
    failed is left alone for a while. People are told first, so that no partner that hangs delays it.
    """
    telling.tell_of_breaks(now)
    consenting.forget_old(now)
    with in_background():
        return _keep(now, seconds)


def _keep(now: datetime, seconds: float) -> int:
    ends_at = time.monotonic() + seconds
    done = 0
    for name, work in _due(now):
        try:
            work()
            done += 1
        except PartnerError as problem:
            log.warning(name, extra={"outcome": problem.code, "http_status": problem.http_status})
        except Exception:  # what stands behind it is due as well
            log.exception(name)
        if time.monotonic() > ends_at:
            break
    return done


def _due(now: datetime) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield pieces of work, each with what to log when it fails."""
    for connection in tokens.due(now):
        yield "token not refreshed", partial(tokens.refresh, connection, now)
    for audience in creating.cut_off(now):
        yield "creation not resumed", partial(creating.resume, audience, now)
    for lookalike in lookalikes.cut_off(now):
        yield "creation not resumed", partial(lookalikes.resume, lookalike, now)
    for portion in recreating.portions(now):
        yield "users not sent again", portion
    for connection in ad_accounts.take_lost(now):
        yield "ad accounts not read", partial(ad_accounts.reread, connection, now)
    for ad_account in audiences.take_old(now, COPIES_AT_ONCE):
        yield "audiences not read", partial(audiences.refresh, ad_account, now)
