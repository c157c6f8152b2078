"""What this app hands to the home page."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from pinsync.profiles.models import Profile
from pinsync.workspaces.home import FirstStep
from pinsync.workspaces.models import Role, Workspace


def first_step(workspace: Workspace) -> FirstStep:
    return FirstStep(
        _("Import your users"),
        _("A CSV file with e-mail addresses, Apple IDFAs or Google Advertising IDs; programs can send them too."),
        reverse("profiles:import", kwargs={"workspace": workspace.slug}),
        Profile.objects.filter(workspace=workspace).exists(),
        role=Role.EDITOR,
    )
