"""`/_control/…`: the sandbox's own side, for scripts and tests. JSON out; JSON or form in."""

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, JsonResponse

from ..audiences import Audience
from ..breaking import break_on_purpose
from ..catalogue import KINDS, BadFault
from ..errors import Refusal, invalid, not_found
from ..facts import SCOPES, USED_SCOPES
from ..request import SandboxRequest, whole_number
from ..requestlog import OLDEST_EPOCH
from .oauth import as_json as tokens_as_json

SHOWN_HAPPENINGS = 100


class Control:
    """One path of the control side: a view for each method, nothing logged, limited or broken."""

    def __init__(self, **views: Callable[..., HttpResponse]) -> None:
        self.views = views

    def __call__(self, request: SandboxRequest, **ids: str) -> HttpResponse:
        view = self.views.get(request.method or "")
        if view is None:
            raise Refusal(405, 405, "Method not allowed.", {"Allow": ", ".join(sorted(self.views))})
        return view(request, **ids)


def body_of(request: SandboxRequest) -> dict[str, Any]:
    """Return the fields of a JSON body or a form; a field that is repeated in a form as a list. Raises Refusal."""
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: values[0] if len(values) == 1 else values for name, values in request.POST.lists()}
    if not request.content():
        return {}
    try:
        body = json.loads(request.content())
    except (ValueError, RecursionError):
        raise invalid("The body is neither JSON nor a form.") from None
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    return body


def health(request: SandboxRequest) -> JsonResponse:
    """Say that the sandbox is there, and what it holds."""
    sandbox = request.sandbox
    return JsonResponse(
        {
            "status": "ok",
            "audiences": len(sandbox.world.audiences),
            "customer_lists": len(sandbox.world.customer_lists),
            "requests": len(sandbox.log.requests),
            "faults": len(sandbox.faults.active()),
            "jumped_hours": sandbox.clock.jumped_hours,
            "app_id": sandbox.app.id,
            "trial_calls": sandbox.limits.trial_calls,
            "trial_calls_used": sandbox.windows.used_of_app(sandbox.clock.now()),
        }
    )


def audiences(request: SandboxRequest) -> JsonResponse:
    """Return every audience with its true size and its history; those of an ad account, name or id if asked."""
    ad_account_id, name, id = (request.GET.get(key) for key in ("ad_account_id", "name", "id"))
    found = [
        audience
        for audience in list(request.sandbox.world.audiences.values())
        if ad_account_id in (None, audience.ad_account_id)
        and name in (None, audience.name)
        and id in (None, audience.id)
    ]
    return JsonResponse([_audience_json(request, audience) for audience in found], safe=False)


def _audience_json(request: SandboxRequest, audience: Audience) -> dict[str, Any]:
    world = request.sandbox.world
    customer_list = world.customer_list_of(audience)
    shown = world.audience_json(audience)
    history = list(customer_list.history)[-SHOWN_HAPPENINGS:] if customer_list else []
    return {
        "id": audience.id,
        "name": audience.name,
        "ad_account_id": audience.ad_account_id,
        "customer_list_id": audience.customer_list_id,
        "audience_type": audience.audience_type,
        "size": world.size(audience),
        "reported_size": shown["size"],
        "status": shown["status"],
        "created": audience.created,
        "updated": customer_list.updated if customer_list else audience.updated,
        "list_status": customer_list.status(world.clock.now()) if customer_list else None,
        "num_batches": customer_list.batches if customer_list else None,
        "num_uploaded_user_records": customer_list.uploaded if customer_list else None,
        "num_removed_user_records": customer_list.removed if customer_list else None,
        "history": [happening._asdict() for happening in history],
    }


def records(request: SandboxRequest, customer_list_id: str) -> HttpResponse:
    """Return the digests of a list, one a line, sorted."""
    found = request.sandbox.world.customer_lists.get(customer_list_id)
    if found is None:
        raise not_found("Customer list")
    with request.sandbox.world.lock:
        digests = set(found.all_records())
    lines = "".join(f"{digest}\n" for digest in sorted(digest.hex() for digest in digests))
    return HttpResponse(lines, content_type="text/plain; charset=utf-8")


def requests(request: SandboxRequest) -> JsonResponse:
    """Return the logged requests since a moment, or of the last so many seconds; all without `since`."""
    now = request.sandbox.clock.time()
    try:
        since = float(request.GET.get("since", OLDEST_EPOCH))
    except ValueError:
        raise invalid("since has to be a number.") from None
    return JsonResponse([entry.as_json() for entry in request.sandbox.log.since(since, now)], safe=False)


def faults(request: SandboxRequest) -> JsonResponse:
    """Return the active faults and the catalogue of all kinds."""
    return _faults_json(request)


def add_fault(request: SandboxRequest) -> JsonResponse:
    """Break something: `fault` names it, the other fields are its parameters. A refusal names the wrong one."""
    body = body_of(request)
    names = [body.pop(key) for key in ("fault", "name", "type") if key in body]
    if len(names) != 1:
        raise invalid("Name one fault.")
    try:
        done = break_on_purpose(request.sandbox, str(names[0]), body)
    except BadFault as bad:
        return JsonResponse({"code": 1, "message": str(bad), "parameter": bad.parameter}, status=400)
    return _faults_json(request, done=done)


def clear_faults(request: SandboxRequest) -> JsonResponse:
    """End one fault by `id`, those of one name by `fault`, or all."""
    id = whole_number(request.GET.get("id", ""))
    if "id" in request.GET and id is None:
        raise invalid("id has to be a number.")
    cleared = request.sandbox.faults.clear(id=id, name=request.GET.get("fault"))
    return _faults_json(request, cleared=cleared)


def _faults_json(request: SandboxRequest, **more: Any) -> JsonResponse:
    now = request.sandbox.clock.time()
    active = [fault.as_json(now) for fault in request.sandbox.faults.active()]
    return JsonResponse({"faults": active, "catalogue": [kind.as_json() for kind in KINDS], **more})


def reset(request: SandboxRequest) -> JsonResponse:
    """Make everything as at the first start."""
    request.sandbox.reset()
    return health(request)


def tokens(request: SandboxRequest) -> JsonResponse:
    """Return tokens of a Pinterest user without the consent page."""
    body = body_of(request)
    user = request.sandbox.world.pinterest_user(str(body.get("pinterest_user", "")))
    if user is None:
        raise invalid("pinterest_user is nobody's name or id.")
    asked = body.get("scopes", body.get("scope")) or USED_SCOPES
    if not isinstance(asked, str | list | tuple):
        raise invalid("scopes has to be a text or a list.")
    scopes = sorted(set(asked.replace(",", " ").split() if isinstance(asked, str) else map(str, asked)))
    if not SCOPES.issuperset(scopes):
        raise invalid("scopes holds one that Pinterest does not know.")
    pair = request.sandbox.tokens.grant(user.id, scopes, request.sandbox.clock.now())
    return JsonResponse(tokens_as_json(pair, "authorization_code") | {"pinterest_user": user.id})
