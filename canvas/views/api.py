"""Canvases for programs."""

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from canvas import journeys, repeating
from canvas.analytics.figures import StepFigures, read
from canvas.models import Canvas, Step
from canvas.reading import steps_of
from pinsync.profiles.models import Profile
from pinsync.workspaces.access import ApiError, ApiRequest, api_view, json_body
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
        raise ApiError(409, "not_api_triggered", _("Users enter this Canvas at its launch, not by a call."))
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > KEY_LENGTH:
        raise ApiError(400, "invalid_key", _("An Idempotency-Key may have 200 characters at most."))
    now = timezone.now()

    def work() -> dict[str, Any]:
        known = Profile.objects.filter(workspace=workspace, external_id__in=ids)
        count = known.count()
        move = journeys.enter(found, known, source="api", now=now)
        return {"entered": move.users, "not_entered": count - move.users, "unknown": len(ids) - count}

    try:
        answer = repeating.once(workspace, key, request.path.encode() + b"\n" + request.body, work, now=now)
    except journeys.NotActive:
        raise ApiError(409, "not_active", _("The Canvas is not active; nobody can enter it.")) from None
    except repeating.KeyReused:
        raise ApiError(422, "key_reused", _("This Idempotency-Key was sent before with another call.")) from None
    return JsonResponse(answer, status=202)


def _external_ids(body: dict[str, Any]) -> list[str]:
    """Return the ids without repetitions."""
    ids = body.get("external_ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(each, str) and each for each in ids):
        raise ApiError(400, "invalid_request", _("“external_ids” must be a list of ids, each a text."))
    if len(ids) > MOST_USERS:
        raise ApiError(400, "too_many", _("Send 10,000 ids at most in one call."))
    return list(dict.fromkeys(ids))


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.pk,
        "kind": step.kind,
        "name": step.name,
        "position": step.position,
        "metrics": StepFigures(step, read(step)).as_dict(),
    }
