"""What every request passes right before it leaves."""

from collections.abc import Callable
from typing import Literal

Errand = Literal["write", "read", "token"]  # what a request is for: audiences changed, something read, tokens

# Asked with a partner's slug for one request; may wait a little, or raise RateLimited. What it returns is called when
# the request has left.
Keeper = Callable[[str, Errand], Callable[[], None] | None]


class Door:
    """What every request passes right before it leaves; whoever paces requests keeps it.

    A write passes when its connection stands and only its bytes are left to go: what comes before takes its time, and
    a request that arrives late crowds the next.
    """

    def __init__(self) -> None:
        self._keeper: Keeper | None = None

    def keep(self, keeper: Keeper) -> None:
        """Have `keeper` asked from now on."""
        self._keeper = keeper

    def leave(self, partner_slug: str, errand: Errand) -> Callable[[], None]:
        """Return when the request may leave, with what to call when its bytes have. Raises RateLimited instead."""
        gone = self._keeper(partner_slug, errand) if self._keeper is not None else None
        return gone or (lambda: None)


door = Door()
