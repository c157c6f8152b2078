"""Connections and what belongs to them."""

from collections.abc import Callable
from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_q.tasks import async_task

from integrations import pausing
from integrations.admin.now import DeliveryNow
from integrations.admin.retrying import RetryAdmin
from integrations.errors import NeedsReconnect
from integrations.models import AdAccount, AppPace, AppRead, Authorization, Connection, Pace, TermsAcceptance
from integrations.retrying import errored_while_disconnected, retry_after_reconnecting, would_retry
from integrations.tokens import mark_broken
from pinsync.staff import AgeFilter, HistoryAdmin, staff_of
from pinsync.workspaces.models import User

SECRET = ("token", "digest", "lease")  # what no address of the admin may ask about


class SecretAdmin(HistoryAdmin):
    """A list over rows with secrets in them: an address can neither show them nor guess at them."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        if any(word in lookup for word in SECRET):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]


@admin.register(Connection)
class ConnectionAdmin(DeliveryNow, RetryAdmin, SecretAdmin):
    list_display = (
        "id",
        "workspace",
        "partner",
        "state",
        "partner_user_id",
        "broken_code",
        "paused_at",
        "access_expires_at",
    )
    list_filter = (
        "partner",
        "state",
        "broken_code",
        ("paused_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("workspace",)
    finds = {"id": "pk", "workspace": "workspace__slug", "user": "partner_user_id"}
    finds_first = "workspace"
    fields = (
        "workspace",
        "partner",
        "state",
        "partner_user_id",
        "partner_user_name",
        "scopes",
        "access_expires_at",
        "refresh_expires_at",
        "refreshed_at",
        "generation",
        "connected_by",
        "connected_at",
        "broken_at",
        "broken_code",
        "notified_at",
        "paused_at",
        "looked_at",
    )
    actions = ("pause", "resume", "mark_for_reconnect", "retry")

    def users_to_retry(self, row: Connection) -> int:
        return would_retry(errored_while_disconnected(row))

    def retry_row(self, row: Connection, staff: User, now: datetime) -> int | None:
        return retry_after_reconnecting(row, staff, now)

    @admin.action(description=_("Pause: send nothing"), permissions=["repair"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        self._each(request, queryset, lambda one, now: pausing.pause(one, staff_of(request), now))

    @admin.action(description=_("Resume: send again"), permissions=["repair"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        self._each(request, queryset, lambda one, now: pausing.resume(one, staff_of(request), now))

    @admin.action(description=_("Mark for reconnect: no call until a person reconnects"), permissions=["repair"])
    def mark_for_reconnect(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        self._each(request, queryset, lambda one, now: mark_broken(one, NeedsReconnect.code, now))

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Connection], do: Callable[[Connection, datetime], bool]
    ) -> None:
        now = timezone.now()
        count = sum(do(connection, now) for connection in queryset.select_related("workspace"))
        sentence = ngettext("%(count)s connection changed.", "%(count)s connections changed.", count)
        self.message_user(request, sentence % {"count": count})


@admin.register(AdAccount)
class AdAccountAdmin(HistoryAdmin):
    list_display = ("id", "external_id", "name", "workspace", "state", "may_write", "audiences_refreshed_at")
    list_filter = ("state", "may_write")
    list_select_related = ("connection__workspace",)
    finds = {"id": "pk", "external_id": "external_id", "workspace": "connection__workspace__slug"}
    finds_first = "external_id"
    actions = ("refresh_audiences",)

    @admin.display(description=_("workspace"))
    def workspace(self, ad_account: AdAccount) -> str:
        return ad_account.connection.workspace.slug

    @admin.action(description=_("Refresh audiences"), permissions=["repair"])
    def refresh_audiences(self, request: HttpRequest, queryset: QuerySet[AdAccount]) -> None:
        """Ask the workers: reading an account's audiences takes as many calls as it has pages."""
        ids = list(queryset.values_list("pk", flat=True))
        for pk in ids:
            async_task("integrations.tasks.refresh_audiences", pk, save=False)
        sentence = ngettext("%(count)s ad account is read again.", "%(count)s ad accounts are read again.", len(ids))
        self.message_user(request, sentence % {"count": len(ids)})


class AuthorizationAge(AgeFilter):
    column = "created_at"


@admin.register(Authorization)
class AuthorizationAdmin(SecretAdmin):
    list_display = ("id", "workspace", "partner", "purpose", "created_at", "returned_at", "completed_at")
    list_filter = ("partner", "purpose", ("completed_at", admin.EmptyFieldListFilter), AuthorizationAge)
    list_select_related = ("workspace",)
    finds = {"id": "pk", "workspace": "workspace__slug"}
    finds_first = "workspace"
    fields = (
        "workspace",
        "user",
        "partner",
        "purpose",
        "created_at",
        "returned_at",
        "completed_at",
        "scopes",
        "partner_user_id",
        "partner_user_name",
        "ad_accounts",
    )


@admin.register(TermsAcceptance)
class TermsAcceptanceAdmin(HistoryAdmin):
    list_display = ("id", "workspace", "partner", "user_id", "accepted_at")
    list_select_related = ("workspace",)
    finds = {"id": "pk", "workspace": "workspace__slug"}
    finds_first = "workspace"


@admin.register(Pace)
class PaceAdmin(HistoryAdmin):
    list_display = ("id", "partner", "partner_user_id", "slowdown", "next_slot", "blocked_until", "next_read")
    list_filter = ("partner",)
    finds = {"id": "pk", "user": "partner_user_id"}
    finds_first = "user"


@admin.register(AppPace)
class AppPaceAdmin(HistoryAdmin):
    list_display = ("partner", "next_slot", "blocked_until", "claimed_until")
    finds = {"partner": "pk"}
    finds_first = "partner"


@admin.register(AppRead)
class AppReadAdmin(HistoryAdmin):
    list_display = ("id", "partner", "at")
    list_filter = ("partner",)
    finds = {"id": "pk", "partner": "partner"}
    finds_first = "partner"
