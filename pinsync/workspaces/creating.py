"""Workspaces come into being and change their name."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from pinsync.workspaces import audit
from pinsync.workspaces.models import Member, Role, User, Workspace

SLUG_LENGTH = 50


def create_workspace(name: str, user: User, now: datetime) -> Workspace:
    """Create a workspace whose Admin is `user`. Two may share a name; their addresses differ."""
    with transaction.atomic():
        workspace = _insert(name)
        Member.objects.create(workspace=workspace, user=user, role=Role.ADMIN)
        audit.record(workspace, user, "workspace.created", name, now=now)
    return workspace


def rename_workspace(workspace: Workspace, name: str, user: User, now: datetime) -> None:
    """Change the name; the address stays, so that no link breaks."""
    with transaction.atomic():
        Workspace.objects.filter(pk=workspace.pk).update(name=name)
        audit.record(workspace, user, "workspace.renamed", name, now=now)
    workspace.name = name


def _insert(name: str) -> Workspace:
    """Take the first free address: acme, acme-2, acme-3 … also when two people ask for it at once."""
    base = slugify(name)[:SLUG_LENGTH].strip("-") or "workspace"
    number = 1
    while True:
        slug = base if number == 1 else f"{base}-{number}"
        number += 1
        if Workspace.objects.filter(slug=slug).exists():
            continue
        try:
            with transaction.atomic():
                return Workspace.objects.create(name=name, slug=slug)
        except IntegrityError:
            continue
