"""For staff: Canvases, and who is where in them."""

from collections.abc import Callable
from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from canvas import launching
from canvas.models import ApiCall, Canvas, Entry, Move, ScenarioRun, SimulatorRun, Step, StepTotals
from pinsync.staff import PERSON, AgeFilter, HistoryAdmin, UserRowsAdmin, staff_of
from pinsync.workspaces.models import User


class StepInline(admin.TabularInline):
    model = Step
    fields = readonly_fields = ("id", "position", "kind", "name", "sync_id")
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class LaunchAge(AgeFilter):
    title = _("launched")
    column = "launched_at"


@admin.register(Canvas)
class CanvasAdmin(HistoryAdmin):
    list_display = ("id", "name", "workspace", "state", "entry_kind", "enter_at", "launched_at", "stopped_at")
    list_filter = ("state", "entry_kind", "reentry", ("enter_at", admin.EmptyFieldListFilter), LaunchAge)
    list_select_related = ("workspace",)
    finds = {"id": "pk", "workspace": "workspace__slug", "name": "name__icontains"}
    finds_first = "name"
    inlines = (StepInline,)
    actions = ("stop", "resume")

    @admin.action(description=_("Stop: nobody enters any more"), permissions=["repair"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Canvas]) -> None:
        self._each(request, queryset, launching.stop)

    @admin.action(description=_("Resume"), permissions=["repair"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Canvas]) -> None:
        self._each(request, queryset, launching.resume)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Canvas], move: Callable[[Canvas, User, datetime], None]
    ) -> None:
        now = timezone.now()
        changed = 0
        for canvas in queryset.select_related("workspace"):
            try:
                move(canvas, staff_of(request), now)
                changed += 1
            except (launching.NotReady, launching.WrongState):
                self.message_user(request, gettext("Canvas %(id)s cannot do that now.") % {"id": canvas.pk}, "error")
        sentence = ngettext("%(count)s Canvas changed.", "%(count)s Canvases changed.", changed)
        self.message_user(request, sentence % {"count": changed})


@admin.register(Step)
class StepAdmin(HistoryAdmin):
    list_display = ("id", "canvas", "workspace", "position", "kind", "name", "sync_id")
    list_filter = ("kind",)
    list_select_related = ("canvas__workspace",)
    finds = {"id": "pk", "canvas": "canvas_id", "sync": "sync_id", "workspace": "canvas__workspace__slug"}
    finds_first = "canvas"

    @admin.display(description=_("workspace"))
    def workspace(self, step: Step) -> str:
        return step.canvas.workspace.slug


@admin.register(StepTotals)
class StepTotalsAdmin(HistoryAdmin):
    list_display = ("step_id", "entered", "proceeded", "exited", "left")
    finds = {"step": "pk", "canvas": "step__canvas_id"}
    finds_first = "step"


@admin.register(Move)
class MoveAdmin(HistoryAdmin):
    list_display = ("id", "canvas_id", "kind", "step_id", "source", "users", "at")
    list_filter = ("kind",)
    finds = {"id": "pk", "canvas": "canvas_id", "source": "source"}
    finds_first = "canvas"


@admin.register(Entry)
class EntryAdmin(UserRowsAdmin):
    """A large table: found by Canvas, person or move, never counted."""

    list_display = ("id", "canvas_id", "profile_id", "turn", "state", "step_id", "due_at", "entered_at", "exited_at")
    finds = {
        "id": "pk",
        "canvas": "canvas_id",
        "profile": "profile_id",
        "user": PERSON,
        "move": "move_id",
    }
    finds_first = "profile"
    fields = readonly_fields = (
        "id",
        "canvas_id",
        "profile_id",
        "turn",
        "move_id",
        "state",
        "step_id",
        "due_at",
        "entered_at",
        "exited_at",
    )


@admin.register(SimulatorRun)
class SimulatorRunAdmin(HistoryAdmin):
    list_display = ("id", "workspace", "canvas_id", "source", "pattern", "total", "entered", "started_at", "end")
    list_filter = ("source", "end")
    list_select_related = ("workspace",)
    finds = {"id": "pk", "canvas": "canvas_id", "workspace": "workspace__slug"}
    finds_first = "canvas"


@admin.register(ScenarioRun)
class ScenarioRunAdmin(HistoryAdmin):
    list_display = ("id", "workspace", "scenario", "users", "step", "end", "started_at", "finished_at")
    list_filter = ("scenario", "end")
    list_select_related = ("workspace",)
    finds = {"id": "pk", "canvas": "canvas_id", "workspace": "workspace__slug"}
    finds_first = "id"


@admin.register(ApiCall)
class ApiCallAdmin(HistoryAdmin):
    list_display = ("id", "workspace", "at")
    list_select_related = ("workspace",)
    finds = {"id": "pk", "workspace": "workspace__slug"}
    fields = ("workspace", "at", "answer")
