"""The page of one step: what it is set to, its audience at the partner, and who else uses that."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from canvas.details import audience_of, audience_page
from canvas.steps import kind_of
from canvas.views.analytics import find_step
from integrations import audiences, registry, sizes
from integrations.errors import PartnerError, RateLimited
from integrations.limits_said import limit_sentence
from integrations.reasons import reason
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
def details(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    found = find_step(workspace, canvas, step)
    if found.sync is not None:
        found.sync.workspace = workspace
    kind = kind_of(found)
    audience = audience_of(found)
    context: dict[str, Any] = {
        "canvas": found.canvas,
        "step": found,
        "kind": kind,
        "summary": kind.summary(found),
        "problems": kind.problems(found),
        "may_edit": request.member.may(Role.EDITOR),
        "audience": audience,
    }
    if audience is not None:
        context["page"] = audience_page(found, audience)
        context["progress"] = audiences.progress(found.sync) if found.sync else None
    return render(request, "canvas/steps/details.html", context)


@workspace_view(Role.EDITOR)
@require_POST
def reread(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Ask the partner for the size and status of the step's audience."""
    found = find_step(workspace, canvas, step)
    audience = audience_of(found)
    if audience is not None and audience.external_id:
        slug = audience.ad_account.connection.partner
        try:
            sizes.reread(audience, timezone.now())
            messages.success(request, _("Size and status are as of now."))
        except RateLimited as error:
            messages.error(request, limit_sentence(registry.partner(slug), error))
        except PartnerError as error:
            why = reason(error.code, registry.name_of(slug))
            messages.error(request, f"{why.name}: {why.cause} {why.way_out}")
    return redirect("canvas:step_details", workspace=workspace.slug, canvas=canvas, step=step)
