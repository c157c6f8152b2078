"""Batches and their attempts: what was sent, how it ended, and another try."""

from datetime import datetime

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.admin.retrying import RetryAdmin
from integrations.delivery import retrying
from integrations.models import Attempt, Batch, Correction
from integrations.retrying import retry_batch
from pinsync.staff import AgeFilter, HistoryAdmin
from pinsync.workspaces.models import User

WORKSPACE = "audience__ad_account__connection__workspace"


class WaitFilter(AgeFilter):
    title = _("longest wait")
    column = "oldest_entered_at"


@admin.register(Batch)
class BatchAdmin(RetryAdmin, HistoryAdmin):
    list_display = (
        "id",
        "workspace",
        "audience_id",
        "operation",
        "state",
        "is_correction",
        "users",
        "records",
        "attempts",
        "http_status",
        "reason",
        "oldest_entered_at",
        "next_attempt_at",
    )
    list_filter = ("state", "operation", "is_correction", WaitFilter)
    list_select_related = (f"{WORKSPACE}",)
    finds = {
        "id": "pk",
        "reason": "reason",
        "audience": "audience_id",
        "workspace": f"{WORKSPACE}__slug",
        "parent": "parent_id",
    }
    readonly_fields = ("requests", "its_users")
    exclude = ("lease",)
    actions = ("retry",)

    @admin.display(description=_("workspace"))
    def workspace(self, batch: Batch) -> str:
        return batch.audience.ad_account.connection.workspace.slug

    @admin.display(description=_("requests"))
    def requests(self, batch: Batch) -> SafeString:
        return _search("attempt", f"batch:{batch.pk}", gettext("its attempts"))

    @admin.display(description=_("users"))
    def its_users(self, batch: Batch) -> SafeString:
        return _search("delivery", f"batch:{batch.pk}", gettext("its users"))

    def users_to_retry(self, row: Batch) -> int:
        return 0 if row.is_correction else retrying.wanted_of_batch(row)

    def records_to_retry(self, row: Batch) -> int:
        return row.records if row.is_correction and row.state == Batch.State.ERRORED else 0

    def retry_row(self, row: Batch, staff: User, now: datetime) -> int:
        retried = retry_batch(row, staff, now)
        return 0 if row.is_correction else retried


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin):
    list_display = ("id", "batch_id", "started_at", "duration_ms", "http_status", "outcome")
    finds = {"id": "pk", "batch": "batch_id", "outcome": "outcome"}
    finds_first = "batch"


@admin.register(Correction)
class CorrectionAdmin(HistoryAdmin):
    list_display = ("id", "audience_id", "profile_id", "lost", "batch_id")
    finds = {"id": "pk", "batch": "batch_id"}
    fields = readonly_fields = ("audience_id", "profile_id", "lost", "batch_id")


def _search(model: str, text: str, label: str) -> SafeString:
    return format_html('<a href="{}?q={}">{}</a>', reverse(f"admin:integrations_{model}_changelist"), text, label)
