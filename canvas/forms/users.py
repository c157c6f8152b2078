"""Which users of a step to list: what was typed stays, and what makes no sense is said beside its field."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from canvas.analytics import periods
from canvas.analytics.streams import Span
from canvas.analytics.users import STATES, Wanted, is_in_batch
from canvas.forms.moments import MomentField
from canvas.models import Step
from integrations import registry
from integrations.models import SyncReason
from integrations.reasons import NOT_SYNCED, REASONS, reason
from pinsync.ids import row_id

LONGEST_TEXT = 400


class UsersFilter(forms.Form):
    """A choice among the users of a step, from an address or a form. `tab` in it is another state to look at instead.

    Once valid, `wanted` is what it asks for. A reason says which state is meant, and belongs to that one alone.
    """

    q = forms.CharField(
        label=gettext_lazy("External ID"),
        max_length=LONGEST_TEXT,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": gettext_lazy("or its beginning")}),
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        required=False,
        error_messages={"invalid_choice": gettext_lazy("No user listed here has this reason: %(value)s.")},
    )
    batch = forms.CharField(
        label=gettext_lazy("Batch"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "placeholder": "#"}),
    )

    def __init__(self, step: Step, asked: Mapping[str, str]) -> None:
        data = dict(asked.items())
        if data.get("tab"):
            data |= {"state": data.pop("tab"), "reason": ""}
        self.step = step
        self.states = STATES if step.sync else ("waiting",)
        self.state = data.get("state", "")
        if self.state not in self.states:
            self.state = self.states[0]
        super().__init__(data)
        self.fields["from"] = MomentField(label=gettext_lazy("Entered from"), required=False)
        self.fields["to"] = MomentField(label=gettext_lazy("and before"), required=False)
        reasons = self.fields["reason"]
        assert isinstance(reasons, forms.ChoiceField)
        reasons.choices = [("", _("All reasons")), *self._reasons(data.get("reason", ""))]
        if step.sync is None:
            del self.fields["reason"], self.fields["batch"]
        elif len(reasons.choices) == 1 and not data.get("reason"):
            del self.fields["reason"]

    def _reasons(self, asked: str) -> list[tuple[str, str]]:
        """Return the reasons of the state's users, the most frequent first, and the one that is asked for."""
        if self.step.sync is None or self.state in ("synced", "pending"):
            return []
        called = registry.name_of(self.step.sync.partner)
        rows = SyncReason.objects.filter(sync=self.step.sync_id, users__gt=0).order_by("-users", "reason")
        codes = list(rows.values_list("reason", flat=True))
        if asked in REASONS and asked not in codes:
            codes.append(asked)  # of whom everybody was retried, say
        states = {code: "not_synced" if code in NOT_SYNCED else "errored" for code in codes}
        return [(code, str(reason(code, called).name)) for code in codes if self.state in ("entered", states[code])]

    def clean_batch(self) -> int | None:
        text = self.cleaned_data["batch"].removeprefix("#").strip()
        if not text:
            return None
        found = row_id(text)
        if found is None:
            raise forms.ValidationError(_("The number of a batch is needed, such as 42."))
        assert self.step.sync is not None
        if not is_in_batch(self.step.sync, found):
            raise forms.ValidationError(_("No user of this step is in a batch of this number."))
        return found

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if self.data.get("state") not in (None, "", *self.states):
            self.add_error(None, _("There is no such list of users: %(name)s.") % {"name": self.data["state"][:40]})
        since, until = found.get("from"), found.get("to")
        if since and until and since >= until:
            self.add_error("to", _("This must come after “Entered from”."))
        if self.state == "entered" and found.get("reason"):
            self.state = "not_synced" if found["reason"] in NOT_SYNCED else "errored"
        return found

    @property
    def text(self) -> str:
        return str(self.cleaned_data.get("q", ""))

    @property
    def wanted(self) -> Wanted:
        found = self.cleaned_data
        span = Span(found["from"], found["to"])
        return Wanted(self.state, found.get("reason", ""), found.get("batch"), span)

    @property
    def is_filled(self) -> bool:
        """Return whether anything was typed or chosen, sensible or not."""
        return any(self[name].data for name in self.fields)


def query_of(wanted: Wanted) -> dict[str, Any]:
    """Return the filters as an address has them; the text that was searched for is in none."""
    found = {
        "state": wanted.state,
        "reason": wanted.why,
        "batch": "" if wanted.batch is None else wanted.batch,
        "from": periods.written(wanted.span.since),
        "to": periods.written(wanted.span.until),
    }
    return {name: value for name, value in found.items() if value != ""}
