"""The two large tables, one row a user: searched by index, never counted."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from integrations.admin.retrying import RetryAdmin
from integrations.delivery import retrying
from integrations.models import Arrival, Delivery
from integrations.retrying import retry_user
from pinsync.staff import PERSON, UserRowsAdmin
from pinsync.workspaces.models import User


@admin.register(Delivery)
class DeliveryAdmin(RetryAdmin, UserRowsAdmin):
    list_display = ("id", "sync_id", "profile_id", "audience_id", "operation", "state", "why", "batch_id", "entered_at")
    finds = {
        "id": "pk",
        "batch": "batch_id",
        "profile": "profile_id",
        "user": PERSON,
        "sync": "sync_id",
        "reason": "reason",
    }
    fields = (
        "id",
        "sync_id",
        "profile_id",
        "audience_id",
        "batch_id",
        "operation",
        "match_fields",
        "state",
        "why",
        "entered_at",
    )
    readonly_fields = ("id", "sync_id", "profile_id", "audience_id", "batch_id", "state", "why")
    actions = ("retry",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("batch")

    def users_to_retry(self, row: Delivery) -> int:
        return int(retrying.is_wanted(row))

    def retry_row(self, row: Delivery, staff: User, now: datetime) -> int:
        return int(retry_user(row, f"#{row.sync_id}", staff, now))

    @admin.display(description=_("state"))
    def state(self, delivery: Delivery) -> str:
        return str(delivery.batch.get_state_display() if delivery.batch else _("Not synced"))

    @admin.display(description=_("reason"))
    def why(self, delivery: Delivery) -> str:
        return delivery.reason or (delivery.batch.reason if delivery.batch else "")


@admin.register(Arrival)
class ArrivalAdmin(UserRowsAdmin):
    list_display = ("id", "sync_id", "profile_id", "audience_id", "operation", "entered_at")
    finds = {
        "id": "pk",
        "profile": "profile_id",
        "user": PERSON,
        "audience": "audience_id",
        "sync": "sync_id",
    }
    fields = readonly_fields = (
        "id",
        "sync_id",
        "profile_id",
        "audience_id",
        "operation",
        "match_fields",
        "entered_at",
    )
