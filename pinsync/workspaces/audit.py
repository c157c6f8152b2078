"""The audit log: who did what in a workspace, and when. Appended, never changed."""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Thing:
    """What an id in an event's detail stands for: what people call it, and its page ("" for none)."""

    name: str
    url: str = ""


Finder = Callable[[Workspace, list[Any]], dict[Any, Thing]]


def _keys(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    return {pk: Thing(name) for pk, name in workspace.api_keys.filter(pk__in=ids).values_list("pk", "name")}


_FINDERS: dict[str, Finder] = {"key": _keys}


def name_things(finders: dict[str, Finder]) -> None:
    """Say how the facts of an app's events are found by their ids: only what is the workspace's own (see `ready`).

    A fact that means something else in other events stands behind the first word of its action: `simulator.run`.
    """
    _FINDERS.update(finders)


def finder_of(action: str, name: str) -> str:
    """Return under which name a fact of an event is found; "" when it is no id of anything."""
    own = f"{action.partition('.')[0]}.{name}"
    return own if own in _FINDERS else name if name in _FINDERS else ""


def things(workspace: Workspace, asked: dict[str, set[Any]]) -> dict[str, dict[Any, Thing]]:
    """Return what these ids stand for, in one question for each kind; what is deleted, or another's, is not there."""
    return {kind: _FINDERS[kind](workspace, list(ids)) for kind, ids in asked.items()}


def fact_label(name: str) -> str:
    return str(_FACTS.get(name) or name.replace("_", " "))


def label(action: str) -> str:
    """Return what people read for `action`; one without a name is read out: "canvas.launched", Canvas launched."""
    return str(_LABELS.get(action) or action.replace(".", " ").replace("_", " ").capitalize())


def fact(name: str, value: object) -> str:
    """Return one fact of an event's detail as people read it, such as "role: Viewer"."""
    said = Role(value).label if name in ("role", "before") and value in Role.values else value
    return f"{fact_label(name)}: {said}"
