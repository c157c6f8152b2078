"""Recreate audience: who was in it and what that takes, then the deed, then how far it is."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from integrations import creating, usage
from integrations.contract import AudiencePartner
from integrations.delivery import recreating
from integrations.models import Audience
from integrations.reasons import reason
from integrations.views.common import with_partner
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
@with_partner
def recreation(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, audience: int
) -> HttpResponse:
    """Show a deleted audience with the button, or how far its recreation is. Calls nobody."""
    found = _audience_or_404(workspace, partner, audience)
    context = _context(found, partner) | {
        "may_edit": request.member.may(Role.EDITOR),
        "forecast": recreating.forecast(found) if found.state == Audience.State.GONE else None,
    }
    return render(request, "integrations/recreation.html", context)


@workspace_view(Role.VIEWER)
@require_GET
@with_partner
def recreation_live(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, audience: int
) -> HttpResponse:
    """Return the progress alone."""
    found = _audience_or_404(workspace, partner, audience)
    context = _context(found, partner) | {"may_edit": request.member.may(Role.EDITOR)}
    return render(request, "integrations/_recreation.html", context)


@workspace_view(Role.EDITOR)
@require_POST
@with_partner
def recreate(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, audience: int
) -> HttpResponse:
    found = _audience_or_404(workspace, partner, audience)
    try:
        if creating.recreate(found, request.user, timezone.now()):
            messages.success(request, _("The audience is created again within seconds; then its users are sent again."))
        else:
            messages.info(request, _("Nothing to recreate: the audience exists, or somebody else was faster."))
    except creating.CannotCreate as refusal:
        messages.error(request, str(refusal))
    return redirect("integrations:recreation", workspace=workspace.slug, partner=partner.slug, audience=found.pk)


def _audience_or_404(workspace: Workspace, partner: AudiencePartner, pk: int) -> Audience:
    ours = Audience.objects.filter(
        ad_account__connection__workspace=workspace, ad_account__connection__partner=partner.slug
    )
    found = ours.select_related("ad_account__connection__workspace").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _context(audience: Audience, partner: AudiencePartner) -> dict[str, Any]:
    latest = recreating.latest(audience.pk)
    return {
        "audience": audience,
        "partner": partner,
        "canvases": usage.of(audience),
        "recreation": latest,
        "progress": recreating.progress(latest, timezone.now()) if latest else None,
        "reason": reason(audience.failure, partner.name) if audience.failure else None,
    }
