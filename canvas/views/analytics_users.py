"""The users behind a number, found by external ID, state, reason, batch and time."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from canvas.analytics import periods
from canvas.analytics import users as behind
from canvas.analytics.figures import METRICS, WAITING
from canvas.analytics.streams import Span
from canvas.analytics.users import Wanted
from canvas.models import Step
from canvas.views.analytics import find_step
from integrations import registry
from integrations.models import SyncReason
from integrations.reasons import NOT_SYNCED, Reason, reason
from pinsync.ids import row_id
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

LONGEST_TEXT = 400


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def users(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Show a page of users; a search comes as POST, so that nobody's id stands in an address or a log of them."""
    found = find_step(workspace, canvas, step)
    reasons = _reasons(found)
    asked = request.POST if request.method == "POST" else request.GET
    wanted = _wanted(asked, found, reasons)
    text = request.POST.get("q", "").strip()[:LONGEST_TEXT]
    if request.method == "POST" and not text:  # only filters: they may stand in an address, and be paged through
        return redirect(f"{request.path}?{urlencode(_query(wanted))}")
    if text:
        page = behind.UsersPage(behind.find(found, text, wanted), "")
    else:
        page = behind.users(found, wanted, after=request.GET.get("after", ""))
    states = _states(found)
    context = {
        "canvas": found.canvas,
        "step": found,
        "tabs": [(key, METRICS.get(key, WAITING), urlencode(_query(wanted, state=key, why=""))) for key in states],
        "state": wanted.state,
        "label": METRICS.get(wanted.state, WAITING),
        "reasons": reasons.get(wanted.state, []),
        "wanted": wanted,
        "is_filtered": bool(wanted.why or wanted.batch is not None or wanted.span.since or wanted.span.until),
        "page": page,
        "q": text,
        "query": urlencode(_query(wanted)),
        "paged": bool(request.GET.get("after")),
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/analytics/users.html", context)


def _states(step: Step) -> tuple[str, ...]:
    return behind.STATES if step.sync else ("waiting",)


def _wanted(asked: Mapping[str, str], step: Step, reasons: dict[str, list[Reason]]) -> Wanted:
    """Return what the filters ask for; what makes no sense is left out. A reason says which state is meant."""
    states = _states(step)
    state = asked.get("state", "")
    state = state if state in states else states[0]
    why = asked.get("reason", "")
    why = why if why in {each.code for each in reasons.get(state, [])} else ""
    if state == "entered" and why:
        state = "not_synced" if why in NOT_SYNCED else "errored"
    batch = row_id(asked.get("batch", "").strip().removeprefix("#")) if step.sync else None
    since, until = periods.moment(asked.get("from", "")), periods.moment(asked.get("to", ""))
    return Wanted(state, why, batch, Span(since, until))


def _query(wanted: Wanted, **changes: str) -> dict[str, Any]:
    """Return the filters as an address has them."""
    found = {
        "state": wanted.state,
        "reason": changes.get("why", wanted.why),
        "batch": "" if wanted.batch is None else wanted.batch,
        "from": periods.written(wanted.span.since),
        "to": periods.written(wanted.span.until),
    }
    return {name: value for name, value in (found | changes).items() if value != "" and name != "why"}


def _reasons(step: Step) -> dict[str, list[Reason]]:
    """Return the reasons that users have, named for people, by the state that they are chosen in."""
    if step.sync is None:
        return {}
    called = registry.name_of(step.sync.partner)
    rows = SyncReason.objects.filter(sync=step.sync_id, users__gt=0).order_by("-users", "reason")
    every = [reason(row.reason, called) for row in rows]
    return {
        "entered": every,
        "not_synced": [each for each in every if each.code in NOT_SYNCED],
        "errored": [each for each in every if each.code not in NOT_SYNCED],
    }
