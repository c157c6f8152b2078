"""The users behind a number, found by external ID, state, reason, batch and time."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from canvas.analytics import users as behind
from canvas.analytics.figures import METRICS, WAITING
from canvas.analytics.users import UsersPage, Wanted
from canvas.forms.users import UsersFilter, query_of
from canvas.views.analytics import find_step
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def users(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Show a page of users; a search comes as POST, so that nobody's id stands in an address or a log of them.

    So do the tabs: they take along what was typed. What makes no sense lists nobody, and says why.
    """
    found = find_step(workspace, canvas, step)
    form = UsersFilter(found, request.POST if request.method == "POST" else request.GET)
    is_sensible = form.is_valid()
    wanted = form.wanted if is_sensible else Wanted(form.state)
    if not is_sensible:
        page = UsersPage([], "")
    elif form.text:
        page = UsersPage(behind.find(found, form.text, wanted), "")
    elif request.method == "POST":  # only filters: they may stand in an address, and be paged through
        return redirect(f"{request.path}?{urlencode(query_of(wanted))}")
    else:
        page = behind.users(found, wanted, after=request.GET.get("after", ""))
    context = {
        "canvas": found.canvas,
        "step": found,
        "form": form,
        "tabs": [(key, METRICS.get(key, WAITING)) for key in form.states],
        "state": form.state,
        "label": METRICS.get(form.state, WAITING),
        "wanted": wanted,
        "page": page,
        "searched": is_sensible and bool(form.text),
        "query": urlencode(query_of(wanted)),
        "paged": bool(request.GET.get("after")) and is_sensible,
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/analytics/users.html", context, status=200 if is_sensible else 422)
