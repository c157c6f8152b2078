"""Retry: how many it would be, then the deed."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from canvas.analytics import batches, retrying
from canvas.views.analytics import find_step
from integrations import registry
from integrations.delivery.retrying import is_wanted, wanted_of_batch
from integrations.models import Batch, Delivery
from integrations.reasons import ERRORS, reason
from integrations.retrying import retry_batch as retry_all_of
from pinsync.profiles.models import Profile
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def retry_step(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Retry all errored users of a step, or those with `reason`."""
    found = find_step(workspace, canvas, step)
    if found.sync is None:
        raise Http404
    asked = request.POST if request.method == "POST" else request.GET
    why = asked.get("reason", "")
    why = why if why in ERRORS else ""
    back = reverse("canvas:step_analytics", args=[workspace.slug, canvas, step])
    if request.method == "GET":
        shown = retrying.shown(found, timezone.now())
        users = retrying.would_retry(found, why)
        context = {
            "canvas": found.canvas,
            "step": found,
            "users": users,
            "left_out": retrying.errored(found, why) - users,
            "why": why,
            "reason": reason(why, registry.name_of(found.sync.partner)) if why else None,
            "back": back,
            "retryings": shown,
            "is_busy": any(one.retrying.ended_at is None for one in shown),
            "may_edit": True,
        }
        return render(request, "canvas/analytics/retry.html", context)
    users_now = retrying.retry_step(found, why, request.user, timezone.now())
    if users_now is None:
        messages.success(request, _("The users become pending again, some thousands at a time."))
    else:
        _say(request, users_now)
    return redirect(back)


@workspace_view(Role.VIEWER)
@require_GET
def retryings(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Return how far the retries of a step are that take a while; nothing when there is none."""
    found = find_step(workspace, canvas, step)
    context = {"retryings": retrying.shown(found, timezone.now()), "may_edit": request.member.may(Role.EDITOR)}
    return render(request, "canvas/analytics/_retryings.html", context)


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def retry_user(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int, delivery: int) -> HttpResponse:
    found = find_step(workspace, canvas, step)
    one = get_object_or_404(Delivery, sync=found.sync_id, pk=delivery, batch__isnull=False)
    back = f"{reverse('canvas:users', args=[workspace.slug, canvas, step])}?state=errored"
    if request.method == "GET":
        users = int(is_wanted(one))
        is_errored = Batch.objects.filter(pk=one.batch_id or 0, state=Batch.State.ERRORED).exists()
        profile = Profile.objects.filter(workspace=workspace, pk=one.profile_id).first()
        context = {"canvas": found.canvas, "step": found, "users": users, "back": back}
        context |= {"left_out": int(is_errored) - users, "who": profile.label if profile else f"#{one.profile_id}"}
        return render(request, "canvas/analytics/retry.html", context)
    _say(request, int(retrying.retry_user(found, one, request.user, timezone.now())))
    return redirect(back)


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def retry_batch(request: WorkspaceRequest, workspace: Workspace, batch: int) -> HttpResponse:
    found = batches.find(workspace, batch)
    if found is None:
        raise Http404
    back = reverse("canvas:batch", args=[workspace.slug, batch])
    if request.method == "GET":
        if found.is_correction:
            users, left_out = (found.records if found.state == Batch.State.ERRORED else 0), 0
        else:
            users = wanted_of_batch(found)
            left_out = found.users - users if found.state == Batch.State.ERRORED else 0
        context = {"batch": found, "users": users, "left_out": left_out, "back": back}
        return render(request, "canvas/analytics/retry.html", context)
    retried = retry_all_of(found, request.user, timezone.now())
    if found.is_correction and retried:
        sentence = ngettext("%(count)s record is looked at again.", "%(count)s records are looked at again.", retried)
        messages.success(request, sentence % {"count": f"{retried:,}"})
    else:
        _say(request, retried)
    return redirect(back)


def _say(request: WorkspaceRequest, users: int) -> None:
    if users:
        sentence = ngettext("%(count)s user is pending again.", "%(count)s users are pending again.", users)
        messages.success(request, sentence % {"count": f"{users:,}"})
    else:
        messages.info(
            request, _("Nobody was retried: they are not errored any more, or were asked the opposite since.")
        )
