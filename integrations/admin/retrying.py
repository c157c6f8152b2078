"""Retry in the admin: how many users it would be, then the deed."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from pinsync.staff import staff_of
from pinsync.workspaces.models import User

CONFIRMED = "confirmed"


class RetryAdmin(admin.ModelAdmin):
    """Adds the action “Retry” to rows with errored users behind them."""

    def users_to_retry(self, row: Any) -> int:
        """Return how many users of a row Retry would take."""
        raise NotImplementedError

    def records_to_retry(self, row: Any) -> int:
        """Return how many records of a correction Retry would look at again."""
        return 0

    def retry_row(self, row: Any, staff: User, now: datetime) -> int | None:
        """Retry the users of a row; return how many are pending again, None when a worker does it."""
        raise NotImplementedError

    @admin.action(description=gettext_lazy("Retry errored users…"), permissions=["repair"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> TemplateResponse | None:
        if CONFIRMED not in request.POST:
            rows = [(row, self.users_to_retry(row), self.records_to_retry(row)) for row in queryset]
            context = {
                **self.admin_site.each_context(request),
                "title": _("Retry errored users"),
                "opts": self.opts,
                "users": sum(users for _row, users, _records in rows),
                "records": sum(records for _row, _users, records in rows),
                "rows": [row for row, users, records in rows if users or records],
                "confirmed": CONFIRMED,
            }
            return TemplateResponse(request, "admin/integrations/retry.html", context)
        now, rows = timezone.now(), list(queryset)
        records = sum(self.records_to_retry(row) for row in rows)
        retried = [self.retry_row(row, staff_of(request), now) for row in rows]
        users = sum(number or 0 for number in retried)
        if records:
            corrected = ngettext(
                "%(count)s record is looked at again.", "%(count)s records are looked at again.", records
            )
            self.message_user(request, corrected % {"count": f"{records:,}"}, messages.SUCCESS)
        if users or not records:
            sentence = ngettext("%(count)s user is pending again.", "%(count)s users are pending again.", users)
            self.message_user(request, sentence % {"count": f"{users:,}"}, messages.SUCCESS if users else messages.INFO)
        if None in retried:
            self.message_user(request, _("More become pending again by a worker, some thousands at a time."))
        return None
