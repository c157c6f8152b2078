"""Canvases for programs."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from canvas import events, journeys, repeating
from canvas.analytics.figures import StepFigures, read
from canvas.models import Canvas, Step
from canvas.reading import steps_of
from pinsync.profiles.filters import FilterError
from pinsync.profiles.models import Profile
from pinsync.workspaces.access import ApiError, ApiRequest, api_view, is_text, json_body
from pinsync.workspaces.models import Role, Workspace

MOST_USERS = 10_000
KEY_LENGTH = 200


@api_view(Role.VIEWER)
@require_GET
def canvas(request: ApiRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(Canvas, workspace=workspace, pk=canvas)
    return JsonResponse(
        {
            "id": found.pk,
            "name": found.name,
            "state": found.state,
            "entry": found.entry_kind,
            "reentry": found.reentry,
            "launched_at": found.launched_at,
            "steps": [_step(step) for step in steps_of(found)],
        }
    )


@api_view(Role.EDITOR)
@require_POST
def enter(request: ApiRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    """Let users into an API-triggered Canvas: `{"external_ids": [...]}`, 10,000 at most."""
    found = get_object_or_404(Canvas, workspace=workspace, pk=canvas)
    ids = _external_ids(json_body(request))
    if found.entry_kind != Canvas.EntryKind.API:
        raise ApiError(409, "not_api_triggered", _("Users enter this Canvas in another way, not by a call."))
    key, now = _key(request), timezone.now()

    def work() -> dict[str, Any]:
        known = Profile.objects.filter(workspace=workspace, external_id__in=ids)
        count = known.count()
        move = journeys.enter(found, known, source="api", now=now)
        return {"entered": move.users, "not_entered": count - move.users, "unknown": len(ids) - count}

    try:
        answer = _once(request, workspace, key, work, now)
    except journeys.NotActive:
        raise ApiError(409, "not_active", _("The Canvas is not active; nobody can enter it.")) from None
    except FilterError:
        raise ApiError(409, "not_usable", _("The segment of its exit criteria cannot be used.")) from None
    return JsonResponse(answer, status=202)


@api_view(Role.EDITOR)
@require_POST
def happened(request: ApiRequest, workspace: Workspace) -> HttpResponse:
    """Take `{"events": [{"name": …, "external_id": …}, …]}`, 10,000 at most: what users did elsewhere.

    An event lets users into the action-based Canvases that wait for it, and out of those whose exit criteria it meets.
    """
    by_name = _events(json_body(request))
    key, now = _key(request), timezone.now()

    def work() -> dict[str, Any]:
        return asdict(events.happened(workspace, by_name, now=now))

    try:
        return JsonResponse(_once(request, workspace, key, work, now), status=202)
    except FilterError:
        raise ApiError(409, "not_usable", _("A Canvas that waits for it has a target that cannot be used.")) from None


def _once(
    request: ApiRequest, workspace: Workspace, key: str, work: Callable[[], dict[str, Any]], now: datetime
) -> dict[str, Any]:
    try:
        return repeating.once(workspace, key, request.path.encode() + b"\n" + request.body, work, now=now)
    except repeating.KeyReused:
        raise ApiError(422, "key_reused", _("This Idempotency-Key was sent before with another call.")) from None


def _key(request: ApiRequest) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > KEY_LENGTH:
        raise ApiError(400, "invalid_key", _("An Idempotency-Key may have 200 characters at most."))
    return key


def _events(body: dict[str, Any]) -> dict[str, list[str]]:
    """Return the ids by the name of what they did, without repetitions."""
    given = body.get("events")
    if not isinstance(given, list) or not given:
        raise ApiError(400, "invalid_request", _("“events” must be a list of objects with “name” and “external_id”."))
    if len(given) > MOST_USERS:
        raise ApiError(413, "too_many", _("Send 10,000 events at most in one call."))
    found: dict[str, dict[str, None]] = {}
    for one in given:
        name, id = (one.get("name"), one.get("external_id")) if isinstance(one, dict) else (None, None)
        if not is_text(name) or not is_text(id):
            said = _("Each event needs a “name” and an “external_id”, both texts.")
            raise ApiError(400, "invalid_request", said)
        found.setdefault(name.strip(), {})[id] = None
    return {name: list(ids) for name, ids in found.items()}


def _external_ids(body: dict[str, Any]) -> list[str]:
    """Return the ids without repetitions."""
    ids = body.get("external_ids")
    if not isinstance(ids, list) or not ids or not all(map(is_text, ids)):
        raise ApiError(400, "invalid_request", _("“external_ids” must be a list of ids, each a text."))
    if len(ids) > MOST_USERS:
        raise ApiError(413, "too_many", _("Send 10,000 ids at most in one call."))
    return list(dict.fromkeys(ids))


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.pk,
        "kind": step.kind,
        "name": step.name,
        "position": step.position,
        "metrics": StepFigures(step, read(step)).as_dict(),
    }
