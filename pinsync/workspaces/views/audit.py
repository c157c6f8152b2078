"""The audit log page: newest first, read on by id so that a long log costs no more than a short one."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from pinsync.ids import row_id
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.audit import Thing, fact, fact_label, finder_of, label, things
from pinsync.workspaces.models import AuditEvent, Role, User, Workspace

PAGE = 50


@dataclass(frozen=True)
class Line:
    """An event as people read it. Addresses are looked up now, not stored: who is deleted is gone here too."""

    event: AuditEvent
    action: str
    target: str
    about: "Fact | None"  # what the target is: its page, and its id for whoever needs it
    facts: "list[Fact]"


@dataclass(frozen=True)
class Fact:
    """One fact beside an event; `raw` is it as it was written down."""

    text: str
    raw: str
    url: str = ""


@workspace_view(Role.ADMIN)
@require_GET
def audit(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    before = row_id(request.GET.get("before", ""))
    events = AuditEvent.objects.filter(workspace=workspace).select_related("actor").order_by("-id")
    if before is not None:
        events = events.filter(pk__lt=before)
    found = list(events[: PAGE + 1])
    page = found[:PAGE]
    context = {"lines": _lines(workspace, page), "older": page[-1].pk if len(found) > PAGE else None, "before": before}
    return render(request, "workspaces/audit.html", context)


def _lines(workspace: Workspace, events: list[AuditEvent]) -> list[Line]:
    asked: dict[str, set[Any]] = {}
    for event in events:
        for name, value in event.detail.items():
            if (kind := finder_of(event.action, name)) and isinstance(value, int | str):
                asked.setdefault(kind, set()).add(value)
    known = things(workspace, asked)
    ids = {event.detail.get("user") for event in events} - {None}
    addresses = dict(User.objects.filter(pk__in=ids).values_list("pk", "email"))
    lines = []
    for event in events:
        detail = dict(event.detail)
        target = event.target
        if "user" in detail:
            person = detail.pop("user")
            target = target or addresses.get(person) or _("person %(id)s (deleted)") % {"id": person}
        about, facts = None, []
        for name, value in detail.items():
            known_ones = known.get(finder_of(event.action, name), {})
            thing = known_ones.get(value) if isinstance(value, int | str) else None
            found = _fact(name, value, thing)
            if thing is not None and thing.name == (target or thing.name) and about is None:
                about, target = found, thing.name
            else:
                facts.append(found)
        lines.append(Line(event, label(event.action), target, about, facts))
    return lines


def _fact(name: str, value: Any, thing: Thing | None) -> Fact:
    raw = fact(name, value)
    return Fact(f"{fact_label(name)}: {thing.name}", raw, thing.url) if thing else Fact(raw, raw)
