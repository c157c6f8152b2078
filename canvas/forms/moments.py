"""Moments as people write them in a form or an address."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from canvas.analytics import periods


class MomentField(forms.CharField):
    """A moment as `periods.moment` reads it, shown in the reader's zone as a browser's own input holds it."""

    widget = forms.DateTimeInput

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        found = periods.moment(text)
        if text and found is None:
            raise forms.ValidationError(_("“%(text)s” is no time.") % {"text": text[:40]})
        return found

    def prepare_value(self, value: Any) -> Any:
        """Return the value for the form. An input for times would drop what is none: that stays in one for text."""
        found = periods.moment(str(value or ""))
        self.widget.input_type = "text" if value and found is None else "datetime-local"
        return timezone.localtime(found).strftime("%Y-%m-%dT%H:%M") if found else value


class RangeForm(forms.Form):
    """From when to when a chart goes. It only shows what was asked for; `periods.read` takes it."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data, auto_id="range-%s")
        self.fields["from"] = MomentField(label=gettext_lazy("From"), required=False)
        self.fields["to"] = MomentField(label=gettext_lazy("To"), required=False)
