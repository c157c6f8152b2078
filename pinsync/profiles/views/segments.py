"""Segments: the list, and one page on which rules are put together and counted as they change."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from pinsync.profiles.asking import describe
from pinsync.profiles.attributes import attributes_of
from pinsync.profiles.filters import FilterError
from pinsync.profiles.forms import SegmentForm, posted_filters
from pinsync.profiles.models import Segment
from pinsync.profiles.rule_rows import changed, rows_of
from pinsync.profiles.segments import SegmentRefused, delete_segment, field_coverage, matching, save_segment
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

NEW: dict[str, Any] = {"match": "all", "groups": [{"match": "all", "rules": [{}]}]}


@workspace_view(Role.VIEWER)
@require_GET
def segment_list(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    found = [(segment, describe(segment.filters)) for segment in Segment.objects.filter(workspace=workspace)]
    return render(request, "profiles/segments.html", {"segments": found})


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def segment_new(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    return _edit(request, Segment(workspace=workspace, filters=NEW))


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def segment_edit(request: WorkspaceRequest, workspace: Workspace, segment: int) -> HttpResponse:
    one = get_object_or_404(Segment, workspace=workspace, pk=segment)
    if not request.member.may(Role.EDITOR):
        return _read(request, one)
    return _edit(request, one)


@workspace_view(Role.EDITOR)
@require_POST
def segment_delete(request: WorkspaceRequest, workspace: Workspace, segment: int) -> HttpResponse:
    one = get_object_or_404(Segment, workspace=workspace, pk=segment)
    try:
        delete_segment(one, request.user, now=timezone.now())
    except SegmentRefused as refused:
        messages.error(request, str(refused))
        return redirect("profiles:segment", workspace=workspace.slug, segment=segment)
    messages.success(request, _("The segment is deleted."))
    return redirect("profiles:segments", workspace=workspace.slug)


@workspace_view(Role.EDITOR)
@require_POST
def segment_rules(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    """Return the rows after a button or a choice changed them. Nothing is saved."""
    attributes = attributes_of(workspace)
    filters = changed(posted_filters(request.POST), request.POST.get("do", ""), attributes)
    response = render(request, "profiles/segment_rules.html", rows_of(filters, attributes, {}))
    response["HX-Trigger-After-Settle"] = "rules-changed"
    return response


@workspace_view(Role.EDITOR)
@require_POST
def segment_count(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    """Return how many users the rows pick now, or that they are not complete yet. Nothing is saved."""
    try:
        profiles = matching(workspace, posted_filters(request.POST), now=timezone.now())
    except FilterError as error:
        return render(request, "profiles/segment_count.html", {"problems": error.sentences})
    return render(request, "profiles/segment_count.html", {"coverage": field_coverage(profiles)})


def _edit(request: WorkspaceRequest, segment: Segment) -> HttpResponse:
    form = SegmentForm(request.POST if request.method == "POST" else None, initial={"name": segment.name})
    filters, problems = segment.filters, {}
    attributes = attributes_of(segment.workspace)
    if "do" in request.POST:  # a button of the rules, pressed where there is no script: nothing is saved yet
        form = SegmentForm(initial={"name": request.POST.get("name", "")})
        filters = changed(posted_filters(request.POST), request.POST["do"], attributes)
    elif request.method == "POST":
        filters = posted_filters(request.POST)
        if form.is_valid():
            try:
                save_segment(segment, form.cleaned_data["name"], filters, request.user, now=timezone.now())
            except FilterError as error:
                problems = error.problems
            except SegmentRefused as refused:
                form.add_error("name", str(refused))
            else:
                messages.success(request, _("The segment is saved."))
                return redirect("profiles:segments", workspace=segment.workspace.slug)
    context = {"segment": segment, "form": form, **rows_of(filters, attributes, problems)}
    return render(request, "profiles/segment.html", context, status=422 if problems or form.errors else 200)


def _read(request: WorkspaceRequest, segment: Segment) -> HttpResponse:
    profiles = matching(segment.workspace, segment.filters, now=timezone.now())
    context = {"segment": segment, "rules": describe(segment.filters), "coverage": field_coverage(profiles)}
    return render(request, "profiles/segment_read.html", context)
