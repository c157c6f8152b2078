"""A request to the sandbox: Django's, with the sandbox it is for and what the request log will say of it."""

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import RequestDataTooBig
from django.core.handlers.wsgi import WSGIRequest

from .errors import Refusal, invalid, not_found, not_permitted
from .facts import LONGEST_ID, WRITING_ROLES
from .people import AdAccount, PinterestUser
from .requestlog import LoggedRequest

if TYPE_CHECKING:
    from .sandbox import Sandbox

ID = re.compile(rf"[0-9]{{1,{LONGEST_ID}}}")
UNWRITABLE = re.compile("[\ud800-\udfff\0]")  # JSON can name half a character; nothing could ever show it


class Arrival(NamedTuple):
    """When the first line of a request came, by both clocks."""

    time: float
    monotonic: float


class SandboxRequest(WSGIRequest):
    """A request that carries its sandbox, so that no view needs a global one."""

    sandbox: "Sandbox"
    arrival: Arrival
    log: LoggedRequest
    person: PinterestUser
    rate_headers: dict[str, str]

    def content(self) -> bytes:
        """Return the body. Raises Refusal if it is larger than the server takes."""
        try:
            return self.body
        except RequestDataTooBig:
            raise Refusal(413, 413, "The request is too large.") from None

    def json(self) -> dict[str, Any]:
        """Return the body, which has to be a JSON object. Raises Refusal."""
        if self.content_type != "application/json":
            raise Refusal(415, 415, "The content type has to be application/json.")
        try:
            value = json.loads(self.content())
        except (ValueError, RecursionError):
            raise invalid("The body is not JSON.") from None
        if not isinstance(value, dict):
            raise invalid("The body is not a JSON object.")
        return value

    def ad_account(self, id: str, *, to_write: bool = False) -> AdAccount:
        """Return an ad account that the person reaches, and may write to if asked. Raises Refusal."""
        ad_account = self.sandbox.world.ad_accounts.get(checked_id("ad_account_id", id))
        if ad_account is None:
            raise not_found("AdAccount", code=2)
        roles = self.sandbox.roles(self.person, ad_account)
        if not roles or (to_write and WRITING_ROLES.isdisjoint(roles)):
            raise not_permitted()
        if to_write and any(fault.parameters["ad_account_id"] == id for fault in self.sandbox.faults.active("terms")):
            self.log.fault = "terms"
            # The sandbox's choice: a code of its own, so that nobody has to look for words in the message.
            raise Refusal(403, 2703, "The ad account has not accepted Pinterest's Terms of Service for advertising.")
        return ad_account


def checked_id(name: str, value: str) -> str:
    """Return an id of up to 18 digits. Raises Refusal."""
    if not ID.fullmatch(value):
        raise invalid(f"{name} has to be a number of up to {LONGEST_ID} digits.")
    return value


def whole_number(text: str) -> int | None:
    """Return a number of up to 18 digits; None for anything else."""
    return int(text) if ID.fullmatch(text) else None


def text_field(body: dict[str, Any], name: str, *, required: bool = True) -> str:
    """Return a text of a JSON body. Raises Refusal if it is missing, empty or no text."""
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()) or _is_unwritable(value):
        raise invalid(f"{name} has to be a text.")
    return value


def _is_unwritable(text: str) -> bool:
    return "\0" in text if text.isascii() else UNWRITABLE.search(text) is not None  # 1,900 records at a time


def choice_field(body: dict[str, Any], name: str, choices: frozenset[str], default: str | None = None) -> str:
    """Return one of a few words of a JSON body. Raises Refusal."""
    value = body.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise invalid(f"{name} has to be one of {', '.join(sorted(choices))}.")
    return value
