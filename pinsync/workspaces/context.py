"""What every page shows: the workspace it belongs to, where one can go, and those one can switch to."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from pinsync.workspaces.models import Member, Workspace
from pinsync.workspaces.navigation import sections

SWITCHER_SIZE = 12  # more than that are behind "All workspaces"


def workspace(request: HttpRequest) -> dict[str, Any]:
    """Add the workspace and what the frame around the page needs; nothing is read unless a template shows it."""
    member: Member | None = getattr(request, "member", None)
    if member is None:
        return {"workspace": None, "member": None}
    return {
        "workspace": member.workspace,
        "member": member,
        "may_edit": member.may("editor"),
        "may_administer": member.may("admin"),
        "navigation": SimpleLazyObject(lambda: sections(request, member)),
        "switchable": SimpleLazyObject(lambda: _others(member)),
    }


def _others(member: Member) -> list[Workspace]:
    others = Workspace.objects.filter(memberships__user=member.user_id).exclude(pk=member.workspace_id)
    return list(others[:SWITCHER_SIZE])
