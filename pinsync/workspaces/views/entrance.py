"""The way into a workspace: the last one used, one to choose, or a first one to create."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from pinsync.workspaces.access import LAST_WORKSPACE
from pinsync.workspaces.creating import create_workspace
from pinsync.workspaces.forms import WorkspaceForm
from pinsync.workspaces.models import Member, User, Workspace


@require_GET
@never_cache
@login_required
def root(request: HttpRequest) -> HttpResponse:
    """Go to the workspace used last, else to the first one, else to where one is created."""
    mine = Workspace.objects.filter(memberships__user=_person(request))
    found = mine.filter(slug=request.session.get(LAST_WORKSPACE, "")).first() or mine.first()
    return redirect(found) if found else redirect("workspaces:create")


@require_GET
@never_cache
@login_required
def choose(request: HttpRequest) -> HttpResponse:
    members = Member.objects.filter(user=_person(request)).select_related("workspace").order_by("workspace__name")
    return render(request, "workspaces/choose.html", {"members": members})


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def create(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    form = WorkspaceForm(request.POST or None)
    if form.is_valid():
        workspace = create_workspace(form.cleaned_data["name"], person, timezone.now())
        messages.success(request, _("The workspace “%(name)s” is ready.") % {"name": workspace.name})
        return redirect(workspace)
    first = not person.memberships.exists()
    return render(request, "workspaces/create.html", {"form": form, "first": first})


def _person(request: HttpRequest) -> User:
    """Return the signed-in person; only called behind `login_required`."""
    assert isinstance(request.user, User)
    return request.user
