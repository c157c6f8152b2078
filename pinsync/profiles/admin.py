"""What staff look at when users are missing, doubled or not importable. Addresses never stand in a list."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pinsync.profiles.importing import take_up
from pinsync.profiles.models import Import, ImportProblem, Profile, RecordChange, Segment
from pinsync.workspaces.admin import ReadOnlyAdmin


class UsableFilter(admin.SimpleListFilter):
    """Users by what they can be matched on."""

    title = gettext_lazy("usable field")
    parameter_name = "usable"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("email", "Email"), ("idfa", "IDFA"), ("gaid", "GAID"), ("none", _("none"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Profile]) -> QuerySet[Profile]:
        value = self.value()
        if value == "none":
            return queryset.filter(email_record=None, idfa_record=None, gaid_record=None)
        return queryset.filter(**{f"{value}_record__isnull": False}) if value in ("email", "idfa", "gaid") else queryset


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    list_display = ("id", "workspace", "state", "rows", "created", "updated", "rejected", "error", "created_at")
    list_filter = ("state", "error", "created_at", "workspace")
    search_fields = ("=id", "name", "workspace__slug")
    list_select_related = ("workspace",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
    readonly_fields = ("error_sentence",)
    exclude = ("path",)
    actions = ("take_up_unfinished",)

    @admin.action(description=gettext_lazy("Take up the imports that nobody works on"), permissions=["repair"])
    def take_up_unfinished(self, request: HttpRequest, queryset: QuerySet[Import]) -> None:
        count = take_up(timezone.now())
        messages.info(request, _("%(count)s imports taken up.") % {"count": count})


@admin.register(ImportProblem)
class ImportProblemAdmin(ReadOnlyAdmin):
    list_display = ("id", "run", "line", "reason", "sentence")
    list_filter = ("reason",)
    search_fields = ("=run__id",)
    list_select_related = ("run",)
    ordering = ("-id",)


@admin.register(Profile)
class ProfileAdmin(ReadOnlyAdmin):
    list_display = ("id", "workspace", "external_id", "by_email", "by_idfa", "by_gaid", "created_at", "updated_at")
    list_filter = (UsableFilter, "workspace")
    search_fields = ("=id", "external_id__startswith", "=email_record")
    search_help_text = gettext_lazy("ID, beginning of the external ID, or the digest of an address")
    list_select_related = ("workspace",)
    ordering = ("-id",)
    readonly_fields = ("email_record", "idfa_record", "gaid_record")

    @admin.display(boolean=True, description="email")
    def by_email(self, profile: Profile) -> bool:
        return profile.email_record is not None

    @admin.display(boolean=True, description="idfa")
    def by_idfa(self, profile: Profile) -> bool:
        return profile.idfa_record is not None

    @admin.display(boolean=True, description="gaid")
    def by_gaid(self, profile: Profile) -> bool:
        return profile.gaid_record is not None


@admin.register(RecordChange)
class RecordChangeAdmin(ReadOnlyAdmin):
    list_display = ("id", "profile_id", "field", "changed_at")
    ordering = ("-id",)
    fields = readonly_fields = ("profile_id", "field", "changed_at")


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ("id", "workspace", "name", "updated_at")
    list_filter = ("workspace",)
    search_fields = ("=id", "name", "workspace__slug")
    list_select_related = ("workspace",)
    ordering = ("-id",)
