"""What Django admin needs to stay quick and harmless over large tables and history."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pinsync.ids import row_id
from pinsync.profiles.models import Profile
from pinsync.workspaces.admin import ReadOnlyAdmin
from pinsync.workspaces.models import User

MOST_ROWS = 1_000  # that a list leads to; who looks for an older one searches for it
PERSON = "person"  # a name in `finds` that stands for no column


class FirstRowsPaginator(Paginator):
    """Pages of the first MOST_ROWS rows. It looks whether there are so many instead of counting all of them."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return len(rows.values_list("pk", flat=True)[:MOST_ROWS])


class HistoryAdmin(ReadOnlyAdmin):
    """A list that follows the primary key, and a search by index.

    `finds` names what can be searched for as `word:value`, and by which field; a bare value goes by `finds_first`. The
    usual search would compare every row's id as text. Several words narrow the search.
    """

    ordering = ("-pk",)
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count every row for every filter
    paginator = FirstRowsPaginator
    finds: Mapping[str, str] = {"id": "pk"}
    finds_first = "id"

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Return something, so that there is a search box."""
        return tuple(self.finds.values())

    @property
    def search_help_text(self) -> str:  # type: ignore[override]
        words = ", ".join(f"{word}:…" for word in self.finds)
        return gettext("Search by %(words)s. The list shows the newest %(number)s.") % {
            "words": words,
            "number": MOST_ROWS,
        }

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for bit in search_term.split():
            word, colon, value = bit.partition(":")
            if not colon or word not in self.finds:
                word, value = self.finds_first, bit
            queryset = queryset.filter(self.condition(self.finds[word], value))
        return queryset, False

    def condition(self, field: str, value: str) -> Q:
        """Return what a searched word asks for; nothing is found by a text where a number is asked."""
        if field == "pk" or field.endswith(("_id", "__pk")):
            id = row_id(value)
            return Q(pk__in=()) if id is None else Q(**{field: id})
        return Q(**{field: value})


class UserRowsAdmin(HistoryAdmin):
    """One row for a user of a brand, in a large table: `user:workspace/external-id` finds them by their profile."""

    def condition(self, field: str, value: str) -> Q:
        if field != PERSON:
            return super().condition(field, value)
        slug, _slash, external_id = value.partition("/")
        profiles = Profile.objects.filter(workspace__slug=slug, external_id=external_id)
        return Q(profile__in=list(profiles.values_list("pk", flat=True)))


class AgeFilter(admin.SimpleListFilter):
    """Older than so long, by the column that a subclass names."""

    title = _("age")
    parameter_name = "older"
    column: str
    ages = {
        "10m": (_("more than 10 minutes"), timedelta(minutes=10)),
        "1h": (_("more than an hour"), timedelta(hours=1)),
        "6h": (_("more than 6 hours"), timedelta(hours=6)),
        "1d": (_("more than a day"), timedelta(days=1)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, str(label)) for key, (label, _age) in self.ages.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.ages:
            return queryset
        return queryset.filter(**{f"{self.column}__lte": timezone.now() - self.ages[str(self.value())][1]})


def staff_of(request: HttpRequest) -> User:
    """Return the person at the admin."""
    assert isinstance(request.user, User)
    return request.user
