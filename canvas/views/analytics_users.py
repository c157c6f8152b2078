"""The users behind a number, and the batch they were sent in."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from canvas.analytics import batches
from canvas.analytics import users as behind
from canvas.analytics.figures import METRICS, WAITING
from canvas.steps import kind_of
from canvas.views.analytics import find_step
from integrations import registry
from integrations.models import SyncReason
from integrations.reasons import NOT_SYNCED, Reason, reason
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

LONGEST_TEXT = 400


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def users(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Show a page of users; a search comes as POST, so that nobody's id stands in an address or a log of them."""
    found = find_step(workspace, canvas, step)
    states = behind.STATES if found.sync else ("waiting",)
    asked = request.POST if request.method == "POST" else request.GET
    state = asked.get("state", "")
    state = state if state in states else states[0]
    text = request.POST.get("q", "").strip()[:LONGEST_TEXT]
    reasons = _reasons(found.sync_id, state, registry.name_of(found.sync.partner)) if found.sync else []
    why = asked.get("reason", "")
    why = why if why in {each.code for each in reasons} else ""
    if text:
        page = behind.UsersPage(behind.find(found, text, state), "")
    else:
        page = behind.users(found, state, why=why, after=request.GET.get("after", ""))
    context = {
        "canvas": found.canvas,
        "step": found,
        "kind": kind_of(found),
        "tabs": [(key, METRICS.get(key, WAITING)) for key in states],
        "state": state,
        "label": METRICS.get(state, WAITING),
        "reasons": reasons,
        "why": why,
        "page": page,
        "q": text,
        "paged": bool(request.GET.get("after")),
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/analytics/users.html", context)


def _reasons(sync: int | None, state: str, partner: str) -> list[Reason]:
    """Return the reasons that users in this state have, named for people."""
    if state not in ("not_synced", "errored"):
        return []
    rows = SyncReason.objects.filter(sync=sync, users__gt=0).order_by("-users", "reason")
    return [reason(row.reason, partner) for row in rows if (row.reason in NOT_SYNCED) == (state == "not_synced")]


@workspace_view(Role.VIEWER)
@require_GET
def batch(request: WorkspaceRequest, workspace: Workspace, batch: int) -> HttpResponse:
    found = batches.find(workspace, batch)
    if found is None:
        raise Http404
    page = batches.page_of(found, request.GET.get("after", ""))
    context = {
        "batch": found,
        "page": page,
        "partner": registry.name_of(found.audience.ad_account.connection.partner),
        "paged": bool(request.GET.get("after")),
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/analytics/batch.html", context)
