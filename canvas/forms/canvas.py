"""What a Canvas is called, and who enters it."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from canvas.models import Canvas
from pinsync.profiles.models import Import, Segment
from pinsync.workspaces.models import Workspace

EVERYBODY = "everybody"
MOST_TAGS = 10
IMPORTS_SHOWN = 50


class CanvasForm(forms.ModelForm):
    """After launch only name, description and tags can be changed: users may be under way."""

    tags = forms.CharField(
        label=gettext_lazy("Tags"), required=False, max_length=300, help_text=gettext_lazy("Separated by commas.")
    )
    target = forms.ChoiceField(
        label=gettext_lazy("Target audience"),
        help_text=gettext_lazy("Who may enter. An API-triggered Canvas lets in whom the call names."),
    )

    class Meta:
        model = Canvas
        fields = ("name", "description", "tags", "entry_kind", "target", "reentry")
        labels = {
            "name": gettext_lazy("Name"),
            "description": gettext_lazy("Description"),
            "entry_kind": gettext_lazy("Entry"),
            "reentry": gettext_lazy("Users may enter again once they have left"),
        }
        widgets = {"entry_kind": forms.RadioSelect, "description": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, workspace: Workspace, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.workspace = workspace
        canvas = self.instance
        self.fields["entry_kind"].choices = Canvas.EntryKind.choices  # type: ignore[attr-defined]
        self.fields["target"].choices = self._targets(workspace)  # type: ignore[attr-defined]
        self.initial["tags"] = ", ".join(canvas.tags)
        self.initial["target"] = _value_of(canvas)
        if canvas.pk and canvas.state != Canvas.State.DRAFT:
            for name in ("entry_kind", "target", "reentry"):
                self.fields[name].disabled = True

    def _targets(self, workspace: Workspace) -> list[tuple[str, Any]]:
        segments = [(f"segment:{each.pk}", each.name) for each in Segment.objects.filter(workspace=workspace)]
        imports = Import.objects.filter(workspace=workspace).exclude(state=Import.State.FAILED).order_by("-id")
        recent = {each.pk: each.name for each in imports[:IMPORTS_SHOWN]}
        mine = self.instance.source_import
        if mine:
            recent.setdefault(mine.pk, mine.name)
        choices: list[tuple[str, Any]] = [(EVERYBODY, _("Everybody"))]
        if segments:
            choices.append((_("Segments"), segments))
        if recent:
            choices.append((_("Users of an import"), [(f"import:{pk}", name) for pk, name in recent.items()]))
        return choices

    def clean_tags(self) -> list[str]:
        tags = list(dict.fromkeys(tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()))
        if len(tags) > MOST_TAGS or any(len(tag) > 30 for tag in tags):
            raise forms.ValidationError(_("Ten tags at most, of 30 characters each."))
        return tags

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        kind, _colon, pk = data.get("target", EVERYBODY).partition(":")
        self.instance.segment_id = int(pk) if kind == "segment" else None
        self.instance.source_import_id = int(pk) if kind == "import" else None
        return data


def _value_of(canvas: Canvas) -> str:
    if canvas.segment_id:
        return f"segment:{canvas.segment_id}"
    return f"import:{canvas.source_import_id}" if canvas.source_import_id else EVERYBODY
