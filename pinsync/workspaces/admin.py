"""For staff: people, workspaces, who did what. Signing in goes through the same door as everywhere else."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.keys import revoke_key
from pinsync.workspaces.members import MemberProblem, change_role, remove
from pinsync.workspaces.models import ApiKey, AuditEvent, Invitation, Member, Role, User, Workspace

admin.site.site_header = admin.site.site_title = "Pinsync"
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class ReadOnlyAdmin(admin.ModelAdmin):
    """Looked at, never added, changed or deleted: history that could be edited would be none."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_repair_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may run the actions, which call the product's own functions."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ("id", "email", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active")
    search_fields = ("email", "=id")
    ordering = ("-id",)
    show_full_result_count = False
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Preferences"), {"fields": ("theme", "language", "time_zone")}),
        (_("Staff"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """An address is changed by its owner, who has to prove the new one."""
        return (*self.readonly_fields, "email") if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.email = obj.email.lower()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """People are closed (not active), so that the last Admin of a workspace cannot vanish."""
        return False


class MemberInline(admin.TabularInline):
    model = Member
    fields = readonly_fields = ("user_id", "role", "created_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):
    list_display = ("id", "name", "slug", "created_at")
    search_fields = ("name", "slug", "=id")
    readonly_fields = ("slug", "created_at")
    inlines = (MemberInline,)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    """Changed by the same functions as on the members page: audited, and never without an Admin."""

    list_display = ("id", "workspace", "user_id", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("user__email", "workspace__name", "workspace__slug", "=id")
    list_select_related = ("workspace",)
    actions = ("make_admin", "take_out")

    @admin.action(description=_("Make Admin"), permissions=["repair"])
    def make_admin(self, request: HttpRequest, queryset: QuerySet[Member]) -> None:
        for member in queryset.select_related("workspace"):
            change_role(member, Role.ADMIN, _staff(request), timezone.now())
        self.message_user(request, gettext("Done."))

    @admin.action(description=_("Remove from the workspace"), permissions=["repair"])
    def take_out(self, request: HttpRequest, queryset: QuerySet[Member]) -> None:
        for member in queryset.select_related("workspace"):
            try:
                remove(member, _staff(request), timezone.now())
            except MemberProblem as problem:
                self.message_user(request, f"{member.pk}: {problem}", messages.ERROR)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("id", "workspace", "role", "expires_at")
    search_fields = ("=email", "workspace__slug")
    list_select_related = ("workspace",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("id", "prefix", "name", "workspace", "role", "last_used_at", "revoked_at")
    list_filter = ("role", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("prefix", "name", "workspace__name", "workspace__slug")
    list_select_related = ("workspace",)
    fields = ("workspace", "name", "role", "prefix", "created_by", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    @admin.action(description=_("Revoke"), permissions=["repair"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        now = timezone.now()
        count = sum(revoke_key(key, _staff(request), now) for key in queryset.select_related("workspace"))
        self.message_user(
            request, ngettext("%(count)s key revoked.", "%(count)s keys revoked.", count) % {"count": count}
        )


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "at", "workspace", "action", "target", "actor_id")
    search_fields = ("=workspace__slug", "=action", "=id", "=actor__email")
    list_select_related = ("workspace",)
    ordering = ("-id",)


def _staff(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
