"""Audiences, and what steps are set to."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from integrations import creating
from integrations.delivery import recreating
from integrations.fields import fold
from integrations.models import Audience, AudienceSize, AudienceSync, Lane, Lookalike, Recreation
from pinsync.staff import HistoryAdmin, staff_of


@admin.register(Audience)
class AudienceAdmin(HistoryAdmin):
    list_display = ("id", "external_id", "name", "ad_account", "workspace", "state", "failure", "status", "size")
    list_filter = ("state", "made_here")
    list_select_related = ("ad_account__connection__workspace",)
    finds = {
        "id": "pk",
        "external_id": "external_id",
        "list": "target_id",
        "failure": "failure",
        "status": "status",
        "account": "ad_account__external_id",
        "workspace": "ad_account__connection__workspace__slug",
        "name": "name_folded__contains",
    }
    finds_first = "name"
    actions = ("resume_creation", "recreate")

    def condition(self, field: str, value: str) -> Q:
        return super().condition(field, fold(value) if field.startswith("name_folded") else value)

    @admin.display(description=_("workspace"))
    def workspace(self, audience: Audience) -> str:
        return audience.ad_account.connection.workspace.slug

    @admin.action(description=_("Resume creation"), permissions=["repair"])
    def resume_creation(self, request: HttpRequest, queryset: QuerySet[Audience]) -> None:
        now = timezone.now()
        count = sum(creating.take_up(audience, now) for audience in queryset)
        sentence = ngettext(
            "%(count)s creation goes on within seconds.", "%(count)s creations go on within seconds.", count
        )
        self.message_user(request, sentence % {"count": count})

    @admin.action(description=_("Recreate deleted audiences and send their users again"), permissions=["repair"])
    def recreate(self, request: HttpRequest, queryset: QuerySet[Audience]) -> HttpResponse | None:
        """Ask first: how many users that is, and how many requests."""
        found = list(queryset.select_related("ad_account__connection__workspace"))
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": _("Recreate audience"),
                "opts": self.opts,
                "rows": [(one, recreating.forecast(one)) for one in found if recreating.is_wanted(one)],
                "selected": queryset,
            }
            return TemplateResponse(request, "admin/integrations/audience/recreate.html", context)
        now = timezone.now()
        count = 0
        for audience in found:
            try:
                count += creating.recreate(audience, staff_of(request), now)
            except creating.CannotCreate as refusal:
                self.message_user(request, gettext("Audience %(id)s: ") % {"id": audience.pk} + str(refusal), "error")
        sentence = ngettext(
            "%(count)s audience is created again within seconds; then its users are sent again.",
            "%(count)s audiences are created again within seconds; then their users are sent again.",
            count,
        )
        self.message_user(request, sentence % {"count": count})
        return None


@admin.register(Recreation)
class RecreationAdmin(HistoryAdmin):
    list_display = (
        "id",
        "audience_id",
        "began_at",
        "made_at",
        "looked_through",
        "to_look_through",
        "sent_again",
        "ended_at",
    )
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    finds = {"id": "pk", "audience": "audience_id"}
    finds_first = "audience"


@admin.register(AudienceSync)
class AudienceSyncAdmin(HistoryAdmin):
    list_display = ("id", "workspace", "partner", "audience", "operation", "match_fields")
    list_filter = ("partner", "operation")
    list_select_related = ("workspace", "audience")
    finds = {"id": "pk", "workspace": "workspace__slug", "audience": "audience_id"}


@admin.register(Lane)
class LaneAdmin(HistoryAdmin):
    list_display = ("audience_id", "served_at")
    finds = {"audience": "pk"}
    finds_first = "audience"


@admin.register(AudienceSize)
class AudienceSizeAdmin(HistoryAdmin):
    list_display = ("id", "audience_id", "at", "size")
    finds = {"audience": "audience_id"}
    finds_first = "audience"


@admin.register(Lookalike)
class LookalikeAdmin(HistoryAdmin):
    list_display = (
        "id",
        "name",
        "seed_id",
        "country",
        "percent",
        "state",
        "failure",
        "external_id",
        "status",
        "size",
        "seen_at",
    )
    list_filter = ("state",)
    finds = {"id": "pk", "audience": "seed_id", "external_id": "external_id"}
    finds_first = "audience"
