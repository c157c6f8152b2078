"""“Delivery now”: one page for staff in trouble: who works, who waits, what fails, and the switch per connection."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from integrations import pausing, running
from integrations.delivery import correcting
from integrations.models import Connection
from integrations.reasons import reason
from pinsync.staff import staff_of

MOVES = {"pause": pausing.pause, "resume": pausing.resume}


class DeliveryNow(admin.ModelAdmin):
    """Adds the page beside the list of connections."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("now/", view(require_safe(self.now)), name="integrations_connection_now"),
            path("now/<int:pk>/<str:move>/", view(require_POST(self.move)), name="integrations_connection_move"),
            *super().get_urls(),
        ]

    def now(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        connections = running.connections(now)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Delivery now"),
            "opts": self.opts,
            "now": now,
            "workers": running.workers(now),
            "tick_age": running.tick_age(now),
            "queue": running.queue(now),
            "users": running.users_by_state(),
            "batches": running.batches_by_state(),
            "corrections": correcting.waiting(),
            "paces": running.paces(now),
            "apps": running.apps(now),
            "connections": connections,
            "troubles": running.recent_troubles(now),
            "errored": [(reason(code, _("Partner")), users) for code, users in running.errored_by_reason().items()],
            "may_move": self.has_repair_permission(request),  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/integrations/connection/now.html", context)

    def move(self, request: HttpRequest, pk: int, move: str) -> HttpResponse:
        """Pause or resume one connection."""
        if move not in MOVES or not self.has_repair_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        connection = get_object_or_404(Connection.objects.select_related("workspace"), pk=pk)
        if MOVES[move](connection, staff_of(request), timezone.now()):
            done = _("Connection %(id)s is paused.") if move == "pause" else _("Connection %(id)s sends again.")
            messages.success(request, done % {"id": pk})
        return HttpResponseRedirect(reverse("admin:integrations_connection_now"))
