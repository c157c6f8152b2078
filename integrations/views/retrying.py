"""Users who were given up while nobody was connected: how many, then another chance."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from integrations import retrying
from integrations.contract import AudiencePartner
from integrations.models import Retrying
from integrations.views.common import live_connection_or_404, with_partner
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
@with_partner
def retry(request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner) -> HttpResponse:
    connection = live_connection_or_404(workspace, partner)
    chosen = retrying.errored_while_disconnected(connection)
    if request.method == "GET":
        shown = retrying.shown_of_connection(connection, timezone.now())
        users = retrying.would_retry(chosen)
        context = {"partner": partner, "users": users, "left_out": chosen.figure() - users, "connection": connection}
        context |= {"retryings": shown, "is_busy": any(one.retrying.ended_at is None for one in shown)}
        return render(request, "integrations/retry.html", context | {"may_edit": True})
    retried = retrying.retry_after_reconnecting(connection, request.user, timezone.now())
    if retried is None:
        messages.success(request, _("The users become pending again, some thousands at a time."))
    elif retried:
        sentence = ngettext("%(count)s user is pending again.", "%(count)s users are pending again.", retried)
        messages.success(request, sentence % {"count": f"{retried:,}"})
    else:
        messages.info(
            request, _("Nobody was retried: they are not errored any more, or were asked the opposite since.")
        )
    return redirect("integrations:partner", workspace=workspace.slug, partner=partner.slug)


@workspace_view(Role.VIEWER)
@require_GET
def live(request: WorkspaceRequest, workspace: Workspace, many: int) -> HttpResponse:
    """Return how far a retry of many users is, alone."""
    return _fragment(request, _retrying_or_404(workspace, many))


@workspace_view(Role.EDITOR)
@require_POST
def cancel(request: WorkspaceRequest, workspace: Workspace, many: int) -> HttpResponse:
    """Cancel a retry of many users; what comes back takes its place on whatever page shows it."""
    found = _retrying_or_404(workspace, many)
    cancelled = retrying.cancel(found, request.user, timezone.now())
    if request.headers.get("HX-Request") == "true":
        return _fragment(request, found)
    if cancelled:
        messages.success(request, _("The retry is cancelled. Who is pending again stays pending."))
    else:
        messages.info(request, _("Nothing to cancel: the retry had ended."))
    return redirect("integrations:partner", workspace=workspace.slug, partner=retrying.partner_of(found))


def _retrying_or_404(workspace: Workspace, pk: int) -> Retrying:
    found = retrying.find(workspace, pk)
    if found is None:
        raise Http404
    return found


def _fragment(request: WorkspaceRequest, many: Retrying) -> HttpResponse:
    context = {"one": retrying.show(many, timezone.now()), "may_edit": request.member.may(Role.EDITOR)}
    return render(request, "integrations/_retrying.html", context)
