"""Where a step goes in the row."""

from typing import Any

from django import forms

from canvas.steps import kinds


class AddStepForm(forms.Form):
    kind = forms.ChoiceField()
    position = forms.IntegerField(min_value=1, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(slug, kind.label) for slug, kind in kinds().items()]  # type: ignore[attr-defined]


class MoveStepForm(forms.Form):
    to = forms.ChoiceField(choices=(("up", "up"), ("down", "down")))
