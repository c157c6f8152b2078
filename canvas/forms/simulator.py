"""What to simulate: which Canvas, whose users, and how they come."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from canvas.models import Canvas, SimulatorRun
from canvas.simulator import MOST_USERS, Order
from integrations.models import AdAccount
from pinsync.profiles.matching import LABELS, MatchField
from pinsync.profiles.models import Segment
from pinsync.workspaces.models import Workspace

NEW = "new"
EVERYBODY = "everybody"
MOST_PER_SECOND = 20_000


class SimulatorForm(forms.Form):
    """Fields that the chosen Canvas, users or pattern do not need are not looked at."""

    canvas = forms.ChoiceField(label=gettext_lazy("Canvas"))
    audience = forms.CharField(
        label=gettext_lazy("Audience"),
        help_text=gettext_lazy("Created at the partner if there is none of that name."),
        max_length=300,
        required=False,
        initial=gettext_lazy("Try-out"),
    )
    ad_account = forms.ModelChoiceField(
        AdAccount.objects.none(), label=gettext_lazy("Ad account"), required=False, empty_label=None
    )
    fields_to_match = forms.MultipleChoiceField(
        label=gettext_lazy("Fields to match"),
        choices=list(LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        initial=["email"],  # one record for each user: our count and the partner's are the same
    )
    source = forms.ChoiceField(
        label=gettext_lazy("Users"),
        choices=SimulatorRun.Source.choices,
        widget=forms.RadioSelect,
        initial=SimulatorRun.Source.MADE_UP,
    )
    segment = forms.ChoiceField(label=gettext_lazy("Segment"), required=False)
    number = forms.IntegerField(
        label=gettext_lazy("How many"), min_value=1, max_value=MOST_USERS, required=False, initial=5_000
    )
    missing_percent = forms.IntegerField(
        label=gettext_lazy("Without a usable value, in percent"),
        min_value=0,
        max_value=100,
        required=False,
        initial=10,
    )
    pattern = forms.ChoiceField(
        label=gettext_lazy("How they come"),
        choices=SimulatorRun.Pattern.choices,
        widget=forms.RadioSelect,
        initial=SimulatorRun.Pattern.BURST,
    )
    per_second = forms.IntegerField(
        label=gettext_lazy("Users per second, on average"),
        min_value=1,
        max_value=MOST_PER_SECOND,
        required=False,
        initial=100,
    )

    def __init__(self, workspace: Workspace, accounts: list[AdAccount], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accounts = accounts
        active = Canvas.objects.filter(workspace=workspace, state=Canvas.State.ACTIVE).order_by("-id")
        self.canvases = {str(canvas.pk): canvas for canvas in active}
        new = [(NEW, _("A new one, with one Audience Sync step"))] if accounts else []
        self.fields["canvas"].choices = [*new, *((pk, canvas.name) for pk, canvas in self.canvases.items())]  # type: ignore[attr-defined]
        self.fields["ad_account"].queryset = AdAccount.objects.filter(pk__in=[each.pk for each in accounts])  # type: ignore[attr-defined]
        self.segments = {str(segment.pk): segment for segment in Segment.objects.filter(workspace=workspace)}
        self.fields["segment"].choices = [  # type: ignore[attr-defined]
            (EVERYBODY, _("Everybody")),
            *((pk, segment.name) for pk, segment in self.segments.items()),
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name in self._hidden(data):  # nobody sees what is wrong with them
            self.errors.pop(name, None)
        needed: dict[str, str] = {}
        if data.get("canvas") == NEW:
            needed |= {"audience": _("Give the audience a name."), "ad_account": _("Choose an ad account.")}
            needed |= {"fields_to_match": _("Choose at least one field.")}
        if data.get("source") == SimulatorRun.Source.MADE_UP:
            needed |= {"number": _("Say how many users to make up.")}
        if data.get("pattern", SimulatorRun.Pattern.BURST) != SimulatorRun.Pattern.BURST:
            needed |= {"per_second": _("Say how many users come per second.")}
        for name, sentence in needed.items():
            if name not in self.errors and not data.get(name):
                self.add_error(name, sentence)
        return data

    def _hidden(self, data: dict[str, Any]) -> list[str]:
        """Return the fields that belong to what was not chosen."""
        of_choices = (
            ("canvas", NEW, ("audience", "ad_account", "fields_to_match")),
            ("source", SimulatorRun.Source.SEGMENT, ("segment",)),
            ("source", SimulatorRun.Source.MADE_UP, ("number", "missing_percent")),
        )
        found = [name for key, value, names in of_choices if data.get(key, value) != value for name in names]
        return [*found, "per_second"] if data.get("pattern") == SimulatorRun.Pattern.BURST else found

    @property
    def chosen(self) -> Canvas | None:
        """Return the chosen Canvas, or None for a new one."""
        return self.canvases.get(self.cleaned_data["canvas"])

    @property
    def match_fields(self) -> MatchField:
        return MatchField.parse(self.cleaned_data["fields_to_match"])

    def order(self) -> Order:
        data = self.cleaned_data
        made_up, comes_slowly = data["source"] == SimulatorRun.Source.MADE_UP, data["pattern"] != "burst"
        return Order(
            source=data["source"],
            pattern=data["pattern"],
            segment=self.segments.get(data["segment"]) if data["source"] == SimulatorRun.Source.SEGMENT else None,
            number=data["number"] if made_up else 0,
            missing_percent=(data["missing_percent"] or 0) if made_up else 0,
            per_second=data["per_second"] if comes_slowly else 0,
        )
