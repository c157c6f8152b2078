"""What every request of the API passes: faults, token, scope, limits; and what every answer carries."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse

from .errors import AnswerDropped, Refusal, not_permitted, unauthenticated
from .faults import Fault
from .limits import Verdict
from .request import SandboxRequest

View = Callable[..., HttpResponse]
OUTAGE_PAGE = "<!doctype html><html><body><h1>{status}</h1><p>The server is temporarily unavailable.</p></body></html>"
WEB_PAGE = "<!doctype html><html><body><h1>Pinterest</h1></body></html>"
# What a client may be answered that is no answer, by the name that the fault gives it.
NONSENSE: dict[str, Callable[[], HttpResponse]] = {
    "json": lambda: HttpResponse(b'{"items": [{"id": "25426', content_type="application/json"),
    "html": lambda: HttpResponse(WEB_PAGE),
    "error": lambda: JsonResponse({"code": 12, "message": "Something went wrong on our end. Sorry about that."}),
    "redirect": lambda: HttpResponse(WEB_PAGE, status=302, headers={"Location": "https://www.pinterest.com/"}),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """A view of the API with the scope it needs and the limit it counts against.

    Without a scope the view checks who calls by itself, and its calls count per app.
    """

    view: View
    category: str
    scope: str | None = None


class Endpoint:
    """One path of the API: an operation for each method."""

    def __init__(self, **operations: Operation) -> None:
        self.operations = operations

    def __call__(self, request: SandboxRequest, **ids: str) -> HttpResponse:
        operation = self.operations.get(request.method or "")
        if operation is None:
            raise Refusal(405, 405, "Method not allowed.", {"Allow": ", ".join(sorted(self.operations))})
        caller = authenticate(request, operation.scope) if operation.scope else "app"
        admit(request, caller, operation.category)
        return operation.view(request, **ids)

    def note(self, request: SandboxRequest) -> None:
        """Put into the log what is asked and for whom: a request that a fault answers was sent all the same."""
        operation = self.operations.get(request.method or "")
        if operation is None:
            return
        request.log.category = operation.category
        owner = request.sandbox.tokens.owner(_bearer(request)) if operation.scope else None
        request.log.pinterest_user = owner if owner in request.sandbox.world.pinterest_users else None


def _bearer(request: SandboxRequest) -> str:
    """Return the token of a request; empty if it carries none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def authenticate(request: SandboxRequest, scope: str) -> str:
    """Find out who calls, and return their id. Raises Refusal for a dead token or a missing scope."""
    grant = request.sandbox.tokens.holder(_bearer(request), request.sandbox.clock.now())
    person = request.sandbox.world.pinterest_users.get(grant.user_id)
    if person is None:
        raise unauthenticated()  # of more people, whom this start let in no longer
    request.person = person
    if scope not in grant.scopes:
        raise not_permitted(f"The token lacks the scope {scope}.")
    return grant.user_id


def admit(request: SandboxRequest, caller: str, category: str) -> None:
    """Count a request against its limit. Raises Refusal if there is no room for it."""
    storm = request.sandbox.faults.first("rate_limit") if category == "ads_write" else None
    if storm:
        request.log.fault = storm.name
        verdict = _storm_verdict(request, storm)
        request.rate_headers = verdict.headers() if storm.parameters["header"] else {}
        if storm.parameters["only_reset"]:
            request.rate_headers.pop("Retry-After", None)
    else:
        day = request.sandbox.clock.now()
        verdict = request.sandbox.windows.admit(caller, category, request.arrival.monotonic, day=day)
        request.rate_headers = verdict.headers()
    if not verdict.allowed:
        raise Refusal(429, 8, "You have exceeded your rate limit. Try again later.")


def _storm_verdict(request: SandboxRequest, storm: Fault) -> Verdict:
    left = max(1, math.ceil((storm.until or 0.0) - request.sandbox.clock.time()))
    return Verdict(False, request.sandbox.limits.writes_per_second, 0, left, left)


def answer_api(request: SandboxRequest, view: View, ids: dict[str, Any]) -> HttpResponse:
    """Answer a request of the API, spoiled as the active faults say, and log it.

    Raises AnswerDropped if the connection is to close without an answer.
    """
    sandbox, faults = request.sandbox, request.sandbox.faults
    verdict = sandbox.windows.admit("", "", request.arrival.monotonic, day=sandbox.clock.now(), count=False)
    request.rate_headers = verdict.headers()
    if isinstance(view, Endpoint):
        view.note(request)
    if faults.take("cut", request.path):
        request.log.fault = "cut"
        sandbox.log_request(request, 0)
        raise AnswerDropped
    outage = faults.first("outage", request.path)
    try:
        response = _outage(request, outage) if outage else view(request, **ids)
    except Refusal as refusal:
        response = refusal.response()
    applied = response.status_code < 400  # nothing spoils a refusal: the log would no longer say why it was one
    if applied and (garbage := faults.take("garbage", request.path)):
        request.log.fault = garbage.name
        response = NONSENSE[garbage.parameters["form"]]()
    for name, value in request.rate_headers.items():
        response[name] = value
    latency = faults.first("latency", request.path)
    if latency:
        sandbox.clock.sleep(latency.parameters["ms"] / 1000)
    dropped = applied and faults.take("drop_answer", request.path)
    if dropped:
        request.log.fault = "drop_answer"
    sandbox.log_request(request, response.status_code)
    if dropped:
        raise AnswerDropped
    return response


def _outage(request: SandboxRequest, outage: Fault) -> HttpResponse:
    status = int(outage.parameters["status"])
    request.log.fault = outage.name
    request.rate_headers = {}  # whatever answers during an outage knows nothing of limits
    if outage.parameters["html"]:
        return HttpResponse(OUTAGE_PAGE.format(status=status), status=status)
    return Refusal(status, status, "Sorry! We could not reach Pinterest. Please try again later.").response()
