"""What partners need now and then: fresh tokens, told people, finished creations, a young copy of the audiences."""

import logging
from datetime import datetime

from integrations import ad_accounts, audiences, consenting, telling, tokens
from integrations.errors import PartnerError

log = logging.getLogger("pinsync.connections")

REFRESHES_AT_ONCE = 3  # local copies per upkeep: the rest comes next time


def keep(now: datetime) -> None:
    """Do what is due. Safe to run at any time, any number of times, by several processes at once."""
    tokens.refresh_due(now)
    telling.tell_of_breaks(now)
    audiences.resume_creations(now)
    consenting.forget_old(now)
    for connection in ad_accounts.take_lost(now):
        try:
            ad_accounts.reread(connection, now)
        except PartnerError as problem:
            log.info("ad accounts not read", extra={"connection": connection.pk, "outcome": problem.code})
    for ad_account in audiences.take_old(now, REFRESHES_AT_ONCE):
        try:
            audiences.refresh(ad_account, now)
        except PartnerError as problem:
            log.info("audiences not read", extra={"ad_account": ad_account.pk, "outcome": problem.code})
