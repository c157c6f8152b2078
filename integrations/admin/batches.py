"""Batches and their attempts: what was sent, how it ended, and another try."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from integrations.delivery import retrying
from integrations.models import Attempt, Batch, Correction
from pinsync.staff import AgeFilter, HistoryAdmin, staff_of
from pinsync.workspaces import audit

WORKSPACE = "audience__ad_account__connection__workspace"


class WaitFilter(AgeFilter):
    title = _("longest wait")
    column = "oldest_entered_at"


@admin.register(Batch)
class BatchAdmin(HistoryAdmin):
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

    @admin.action(description=_("Retry the users and corrections of errored batches"), permissions=["repair"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        now = timezone.now()
        users = records = 0
        for batch in queryset.filter(state=Batch.State.ERRORED).select_related(WORKSPACE):
            retried = retrying.retry_batch(batch, now=now)
            if retried:
                workspace = batch.audience.ad_account.connection.workspace
                audit.record(
                    workspace,
                    staff_of(request),
                    "users.retried",
                    batch.audience.name,
                    now=now,
                    users=retried,
                    batch=batch.pk,
                )
            if batch.is_correction:
                records += retried
            else:
                users += retried
        if records:
            corrected = ngettext(
                "%(count)s record is looked at again.", "%(count)s records are looked at again.", records
            )
            self.message_user(request, corrected % {"count": records}, messages.SUCCESS)
        if records and not users:
            return
        sentence = ngettext("%(count)s user is pending again.", "%(count)s users are pending again.", users)
        self.message_user(request, sentence % {"count": users}, messages.SUCCESS if users else messages.INFO)


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
