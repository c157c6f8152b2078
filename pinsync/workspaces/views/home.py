"""The home page and the workspace's own settings."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.creating import rename_workspace
from pinsync.workspaces.forms import WorkspaceForm
from pinsync.workspaces.home import attention, first_steps, panels
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
def home(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    found = panels(workspace, timezone.now())
    steps = first_steps(workspace)
    context = {
        "first_steps": [(step, request.member.may(step.role)) for step in steps],
        "next_step": next((step for step in steps if not step.done), None),
        "panels": [panel for panel in found if panel.template],
        "attention": [(each, request.member.may(each.role)) for each in attention(found)],
    }
    return render(request, "workspaces/home.html", context)


@workspace_view(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def settings(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    form = WorkspaceForm(request.POST or None, initial={"name": workspace.name})
    if form.is_valid():
        rename_workspace(workspace, form.cleaned_data["name"], request.user, timezone.now())
        messages.success(request, _("Saved."))
        return redirect("workspaces:settings", workspace=workspace.slug)
    return render(request, "workspaces/settings.html", {"form": form})
