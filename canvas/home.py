"""What to do first with Canvases, for the home page."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from canvas.models import Canvas
from pinsync.workspaces.home import FirstStep
from pinsync.workspaces.models import Workspace


def first_step(workspace: Workspace) -> FirstStep:
    return FirstStep(
        _("Build and launch a Canvas"),
        _("Put an Audience Sync step into it, choose or create an audience, and launch."),
        reverse("canvas:list", kwargs={"workspace": workspace.slug}),
        Canvas.objects.filter(workspace=workspace, launched_at__isnull=False).exists(),
    )
