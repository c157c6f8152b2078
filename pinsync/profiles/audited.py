"""What the ids in the audit log stand for, of users of the brand."""

from typing import Any

from django.urls import reverse

from pinsync.profiles.models import Import, Profile, Segment
from pinsync.workspaces.audit import Thing
from pinsync.workspaces.models import Workspace


def segments(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = Segment.objects.filter(workspace=workspace, pk__in=ids).values_list("pk", "name")
    return {pk: Thing(name, reverse("profiles:segment", args=[workspace.slug, pk])) for pk, name in found}


def imports(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = Import.objects.filter(workspace=workspace, pk__in=ids).values_list("pk", "name")
    return {pk: Thing(name, reverse("profiles:import_run", args=[workspace.slug, pk])) for pk, name in found}


def profiles(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = Profile.objects.filter(workspace=workspace, pk__in=ids)
    return {one.pk: Thing(one.label, reverse("profiles:detail", args=[workspace.slug, one.pk])) for one in found}
