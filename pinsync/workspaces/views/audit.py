"""The audit log page: newest first, read on by id so that a long log costs no more than a short one."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from pinsync.ids import row_id
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.audit import fact, label
from pinsync.workspaces.models import AuditEvent, Role, User, Workspace

PAGE = 50


@dataclass(frozen=True)
class Line:
    """An event as people read it. Addresses are looked up now, not stored: who is deleted is gone here too."""

    event: AuditEvent
    action: str
    target: str
    facts: str


@workspace_view(Role.ADMIN)
@require_GET
def audit(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    before = row_id(request.GET.get("before", ""))
    events = AuditEvent.objects.filter(workspace=workspace).select_related("actor").order_by("-id")
    if before is not None:
        events = events.filter(pk__lt=before)
    found = list(events[: PAGE + 1])
    page = found[:PAGE]
    context = {"lines": _lines(page), "older": page[-1].pk if len(found) > PAGE else None, "before": before}
    return render(request, "workspaces/audit.html", context)


def _lines(events: list[AuditEvent]) -> list[Line]:
    ids = {event.detail.get("user") for event in events} - {None}
    addresses = dict(User.objects.filter(pk__in=ids).values_list("pk", "email"))
    lines = []
    for event in events:
        detail = dict(event.detail)
        target = event.target
        if "user" in detail:
            person = detail.pop("user")
            target = target or addresses.get(person) or _("person %(id)s (deleted)") % {"id": person}
        facts = ", ".join(fact(name, value) for name, value in detail.items())
        lines.append(Line(event, label(event.action), target, facts))
    return lines
