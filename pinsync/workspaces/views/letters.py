"""Which e-mails about the workspace a member gets."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from pinsync.workspaces import members as domain
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.forms import LettersForm
from pinsync.workspaces.models import Letters, Role, Workspace


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def notifications(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    form = LettersForm(request.POST or None, initial={"letters": request.member.letters})
    if form.is_valid():
        domain.choose_letters(request.member, Letters(form.cleaned_data["letters"]))
        messages.success(request, _("Saved."))
        return redirect("workspaces:notifications", workspace=workspace.slug)
    return render(request, "workspaces/notifications.html", {"form": form})
