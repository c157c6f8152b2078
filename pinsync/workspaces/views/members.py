"""The members page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from pinsync.workspaces import members as domain
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.forms import MemberForm, RoleForm
from pinsync.workspaces.mail import tell
from pinsync.workspaces.models import Invitation, Member, Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
def members(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    return _page(request, workspace, MemberForm())


@workspace_view(Role.ADMIN)
@require_POST
def add(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    form = MemberForm(request.POST)
    if not form.is_valid():
        return _page(request, workspace, form)
    try:
        added = domain.add(
            workspace, form.cleaned_data["email"], Role(form.cleaned_data["role"]), request.user, timezone.now()
        )
    except domain.MemberProblem as problem:
        form.add_error("email", str(problem))
        return _page(request, workspace, form)
    told = tell(added, request.user)
    address = {"email": form.cleaned_data["email"]}
    if isinstance(added, Member):
        messages.success(request, _("%(email)s is a member now.") % address)
    elif told:
        messages.success(request, _("%(email)s got an invitation that is good for seven days.") % address)
    else:
        messages.warning(
            request,
            _("%(email)s is invited, but the letter could not be sent. Ask them to sign up with that address.")
            % address,
        )
    return redirect("workspaces:members", workspace=workspace.slug)


@workspace_view(Role.ADMIN)
@require_POST
def change_role(request: WorkspaceRequest, workspace: Workspace, member: int) -> HttpResponse:
    found = get_object_or_404(Member, workspace=workspace, pk=member)
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            if domain.change_role(found, Role(form.cleaned_data["role"]), request.user, timezone.now()):
                messages.success(request, _("The role was changed."))
        except domain.MemberProblem as problem:
            messages.error(request, str(problem))
    else:
        messages.error(request, _("Choose Admin, Editor or Viewer."))
    return redirect("workspaces:members", workspace=workspace.slug)


@workspace_view(Role.ADMIN)
@require_POST
def remove(request: WorkspaceRequest, workspace: Workspace, member: int) -> HttpResponse:
    found = get_object_or_404(Member, workspace=workspace, pk=member)
    return _remove(request, workspace, found)


@workspace_view(Role.VIEWER)
@require_POST
def leave(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    return _remove(request, workspace, request.member)


@workspace_view(Role.ADMIN)
@require_POST
def withdraw(request: WorkspaceRequest, workspace: Workspace, invitation: int) -> HttpResponse:
    found = get_object_or_404(Invitation, workspace=workspace, pk=invitation)
    domain.withdraw(found, request.user, timezone.now())
    messages.success(request, _("The invitation was withdrawn."))
    return redirect("workspaces:members", workspace=workspace.slug)


def _remove(request: WorkspaceRequest, workspace: Workspace, member: Member) -> HttpResponse:
    try:
        domain.remove(member, request.user, timezone.now())
    except domain.MemberProblem as problem:
        messages.error(request, str(problem))
        return redirect("workspaces:members", workspace=workspace.slug)
    if member.user_id == request.user.pk:
        messages.success(request, _("You left “%(name)s”.") % {"name": workspace.name})
        return redirect("workspaces:choose")
    messages.success(request, _("The member was removed."))
    return redirect("workspaces:members", workspace=workspace.slug)


def _page(request: WorkspaceRequest, workspace: Workspace, form: MemberForm) -> HttpResponse:
    context = {
        "form": form,
        "members": Member.objects.filter(workspace=workspace).select_related("user").order_by("user__email"),
        "invitations": Invitation.objects.filter(workspace=workspace).order_by("email"),
        "roles": Role.choices,
        "now": timezone.now(),
    }
    return render(request, "workspaces/members.html", context)
