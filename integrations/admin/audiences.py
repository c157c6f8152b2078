"""Audiences, and what steps are set to."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from integrations import creating
from integrations.fields import fold
from integrations.models import Audience, AudienceSync, Lane
from pinsync.staff import HistoryAdmin


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
    actions = ("resume_creation",)

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
