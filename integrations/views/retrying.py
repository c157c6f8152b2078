"""Users who were given up while nobody was connected: how many, then another chance."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from integrations import retrying
from integrations.contract import AudiencePartner
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
        users = retrying.would_retry(chosen)
        context = {"partner": partner, "users": users, "left_out": chosen.figure() - users, "connection": connection}
        return render(request, "integrations/retry.html", context)
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
