"""Figures and the machinery of the workers."""

from datetime import datetime

from django.contrib import admin

from integrations.admin.retrying import RetryAdmin
from integrations.delivery.retrying import errored_of_sync
from integrations.models import Heartbeat, Retrying, Seat, SyncHour, SyncMinute, SyncReason, SyncTotals, Tick
from integrations.retrying import retry, would_retry
from pinsync.staff import HistoryAdmin
from pinsync.workspaces.models import User


@admin.register(SyncTotals)
class SyncTotalsAdmin(HistoryAdmin):
    list_display = ("sync_id", "workspace", "entered", "synced", "not_synced", "pending", "errored")
    list_select_related = ("sync__workspace",)
    finds = {"sync": "pk", "workspace": "sync__workspace__slug"}
    finds_first = "sync"

    def workspace(self, totals: SyncTotals) -> str:
        return totals.sync.workspace.slug


@admin.register(SyncMinute)
class SyncMinuteAdmin(HistoryAdmin):
    list_display = ("id", "sync_id", "minute", "entered", "synced", "not_synced", "pending", "errored")
    finds = {"id": "pk", "sync": "sync_id"}
    finds_first = "sync"


@admin.register(SyncHour)
class SyncHourAdmin(HistoryAdmin):
    list_display = ("id", "sync_id", "hour", "entered", "synced", "not_synced", "pending", "errored")
    finds = {"id": "pk", "sync": "sync_id"}
    finds_first = "sync"


@admin.register(SyncReason)
class SyncReasonAdmin(RetryAdmin, HistoryAdmin):
    list_display = ("id", "sync_id", "workspace", "reason", "users")
    list_filter = ("reason",)
    list_select_related = ("sync__workspace",)
    finds = {"id": "pk", "sync": "sync_id", "reason": "reason", "workspace": "sync__workspace__slug"}
    finds_first = "sync"
    actions = ("retry",)

    def workspace(self, row: SyncReason) -> str:
        return row.sync.workspace.slug

    def users_to_retry(self, row: SyncReason) -> int:
        return would_retry(errored_of_sync(row.sync, row.reason))

    def retry_row(self, row: SyncReason, staff: User, now: datetime) -> int | None:
        return retry(errored_of_sync(row.sync, row.reason), f"#{row.sync_id}", staff, now)


@admin.register(Retrying)
class RetryingAdmin(HistoryAdmin):
    list_display = ("id", "workspace", "sync_id", "connection_id", "reason", "total", "done", "started_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), ("cancelled_at", admin.EmptyFieldListFilter))
    list_select_related = ("workspace",)
    finds = {"id": "pk", "sync": "sync_id", "connection": "connection_id", "workspace": "workspace__slug"}
    finds_first = "sync"


@admin.register(Heartbeat)
class HeartbeatAdmin(HistoryAdmin):
    list_display = ("id", "name", "started_at", "parent_at")


@admin.register(Seat)
class SeatAdmin(HistoryAdmin):
    list_display = ("number", "until")
    exclude = ("holder",)


@admin.register(Tick)
class TickAdmin(HistoryAdmin):
    list_display = ("id", "due_at", "last_at")
