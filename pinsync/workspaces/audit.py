"""The audit log: who did what in a workspace, and when. Appended, never changed."""

from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.models import AuditEvent, Role, User, Workspace

_LABELS: dict[str, str | Promise] = {
    "workspace.created": _("Workspace created"),
    "workspace.renamed": _("Workspace renamed"),
    "member.added": _("Member added"),
    "member.invited": _("Person invited"),
    "member.joined": _("Invited person joined"),
    "member.role_changed": _("Role changed"),
    "member.removed": _("Member removed"),
    "member.left": _("Member left"),
    "invitation.withdrawn": _("Invitation withdrawn"),
    "api_key.created": _("API key created"),
    "api_key.revoked": _("API key revoked"),
}

# The facts beside an event. Those of every app: they are few, and mean the same everywhere.
_FACTS: dict[str, str | Promise] = {
    "ad_account": _("ad account"),
    "ad_accounts": _("ad accounts"),
    "audience": _("audience"),
    "batch": _("batch"),
    "before": _("before"),
    "bytes": _("bytes"),
    "canvas": _("Canvas"),
    "invitation": _("invitation"),
    "key": _("key"),
    "of": _("copy of"),
    "partner_user": _("partner user"),
    "profile": _("profile"),
    "reason": _("reason"),
    "role": _("role"),
    "rows": _("rows"),
    "run": _("run"),
    "segment": _("segment"),
    "users": _("users"),
}


def record(
    workspace: Workspace,
    actor: User | None,
    action: str,
    target: str = "",
    *,
    now: datetime,
    **detail: Any,
) -> AuditEvent:
    """Append one event, in the caller's transaction.

    `action` is a stable code such as "canvas.launched", `target` what people call the thing, `detail` ids and
    counts: never an address or a token. `actor` is None when Pinsync did it by itself.
    """
    return AuditEvent.objects.create(
        workspace=workspace, actor=actor, action=action, target=target[:200], detail=detail, at=now
    )


def name_actions(labels: dict[str, str | Promise]) -> None:
    """Give the actions of an app their names for people (called once, from its AppConfig.ready)."""
    _LABELS.update(labels)


def label(action: str) -> str:
    """Return what people read for `action`; one without a name is read out: "canvas.launched", Canvas launched."""
    return str(_LABELS.get(action) or action.replace(".", " ").replace("_", " ").capitalize())


def fact(name: str, value: object) -> str:
    """Return one fact of an event's detail as people read it, such as "role: Viewer"."""
    said = Role(value).label if name in ("role", "before") and value in Role.values else value
    return f"{_FACTS.get(name) or name.replace('_', ' ')}: {said}"
