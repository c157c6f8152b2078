"""What several views of the API need: pages of a longer list."""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from django.http import JsonResponse

from ..errors import Refusal, invalid
from ..facts import LARGEST_PAGE, PAGE_SIZE
from ..request import SandboxRequest, whole_number


class Numbered(Protocol):
    """Something with a number for an id."""

    @property
    def id(self) -> str: ...


Thing = TypeVar("Thing", bound=Numbered)


def page_of(
    request: SandboxRequest,
    things: Sequence[Thing],
    as_json: Callable[[Thing], dict[str, Any]],
    refusal: Callable[[str], Refusal] = invalid,
) -> JsonResponse:
    """Return the page that `page_size`, `order` and `bookmark` ask for, sorted by id.

    The bookmark names the last id of the page before, so that nothing is missed or seen twice when things come and go
    between two pages. The order is ASCENDING unless asked otherwise (the sandbox's choice). Raises Refusal.
    """
    size = _page_size(request, refusal)
    order = request.GET.get("order", "ASCENDING")
    if order not in ("ASCENDING", "DESCENDING"):
        raise refusal("order has to be ASCENDING or DESCENDING.")
    descending = order == "DESCENDING"
    waiting = sorted(things, key=_number, reverse=descending)
    if "bookmark" in request.GET:
        last = _read_bookmark(request.GET["bookmark"], order, refusal)
        waiting = [thing for thing in waiting if (_number(thing) < last if descending else _number(thing) > last)]
    page = waiting[:size]
    more = len(waiting) > size
    bookmark = _bookmark(order, page[-1].id) if more else None
    return JsonResponse({"items": [as_json(thing) for thing in page], "bookmark": bookmark})


def _number(thing: Numbered) -> int:
    return int(thing.id)


def _page_size(request: SandboxRequest, refusal: Callable[[str], Refusal]) -> int:
    size = whole_number(request.GET.get("page_size", str(PAGE_SIZE)))
    if size is None or not 1 <= size <= LARGEST_PAGE:
        raise refusal(f"page_size has to be between 1 and {LARGEST_PAGE}.")
    return size


def _bookmark(order: str, last_id: str) -> str:
    return base64.urlsafe_b64encode(f"{order}:{last_id}".encode()).decode()


def _read_bookmark(text: str, order: str, refusal: Callable[[str], Refusal]) -> int:
    try:
        its_order, _, last_id = base64.b64decode(text, altchars=b"-_", validate=True).decode().partition(":")
        if its_order == order:
            return int(last_id)
    except ValueError:
        pass  # refused below, like a bookmark of the other order
    raise refusal("bookmark is not one that this list gave out.")
