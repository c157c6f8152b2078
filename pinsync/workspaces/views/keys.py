"""The page of API keys."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.forms import ApiKeyForm
from pinsync.workspaces.keys import create_key, revoke_key
from pinsync.workspaces.models import ApiKey, Role, Workspace


@workspace_view(Role.ADMIN)
@require_GET
def api_keys(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    return _page(request, workspace, ApiKeyForm())


@workspace_view(Role.ADMIN)
@require_POST
def create(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    """Answer with the page itself: the secret is in this answer only, and in no session, cache or address."""
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, workspace, form)
    _key, secret = create_key(
        workspace, form.cleaned_data["name"], Role(form.cleaned_data["role"]), request.user, timezone.now()
    )
    return _page(request, workspace, ApiKeyForm(), secret)


@workspace_view(Role.ADMIN)
@require_POST
def revoke(request: WorkspaceRequest, workspace: Workspace, key: int) -> HttpResponse:
    found = get_object_or_404(ApiKey, workspace=workspace, pk=key)
    if revoke_key(found, request.user, timezone.now()):
        messages.success(request, _("“%(name)s” works no more.") % {"name": found.name})
    return redirect("workspaces:api_keys", workspace=workspace.slug)


def _page(request: WorkspaceRequest, workspace: Workspace, form: ApiKeyForm, secret: str = "") -> HttpResponse:
    keys = ApiKey.objects.filter(workspace=workspace).select_related("created_by").order_by("revoked_at", "-id")
    return render(request, "workspaces/api_keys.html", {"form": form, "secret": secret, "keys": keys})
