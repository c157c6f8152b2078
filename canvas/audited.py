"""What the ids in the audit log stand for, of Canvases."""

from typing import Any

from django.urls import reverse

from canvas.models import Canvas, ScenarioRun, SimulatorRun
from integrations.models import Batch
from pinsync.workspaces.audit import Thing
from pinsync.workspaces.models import Workspace


def canvases(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = Canvas.objects.filter(workspace=workspace, pk__in=ids).values_list("pk", "name")
    return {pk: Thing(name, reverse("canvas:detail", args=[workspace.slug, pk])) for pk, name in found}


def simulations(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = SimulatorRun.objects.filter(workspace=workspace, pk__in=ids).values_list("pk", "canvas__name")
    return {pk: Thing(name, reverse("canvas:simulator_run", args=[workspace.slug, pk])) for pk, name in found}


def stories(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = ScenarioRun.objects.filter(workspace=workspace, pk__in=ids)
    return {
        run.pk: Thing(
            str(run.memory.get("title") or f"#{run.pk}"), reverse("canvas:story", args=[workspace.slug, run.pk])
        )
        for run in found
    }


def batches(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = Batch.objects.filter(audience__ad_account__connection__workspace=workspace, pk__in=ids)
    return {
        pk: Thing(f"#{pk}", reverse("canvas:batch", args=[workspace.slug, pk]))
        for pk in found.values_list("pk", flat=True)
    }
