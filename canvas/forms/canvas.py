"""What a Canvas is called, who enters it and when: one form for each section of its settings."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from canvas import recurring
from canvas.models import Canvas
from pinsync.profiles.models import Import, Segment
from pinsync.workspaces.models import Workspace
from pinsync.workspaces.preferences import places_by_area

EVERYBODY = "everybody"
MOST_TAGS = 10
IMPORTS_SHOWN = 50
MOST_DAYS = 3_650
# Of a schedule. What lies at an end of the calendar in one zone is beyond it in another, and no database gives it back.
FIRST_YEAR, LAST_YEAR = 1971, 8999


class SectionForm(forms.ModelForm):
    """A section is saved by itself. Those of who enters and when can be changed in a draft only."""

    for_draft = True

    def __init__(self, workspace: Workspace, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        self.instance.workspace = workspace
        if self.is_fixed:
            for field in self.fields.values():
                field.disabled = True

    @property
    def is_fixed(self) -> bool:
        """Return whether the section can't be changed any more: users may be under way."""
        return self.for_draft and self.instance.pk is not None and self.instance.state != Canvas.State.DRAFT


class BasicsForm(SectionForm):
    for_draft = False
    tags = forms.CharField(
        label=gettext_lazy("Tags"), required=False, max_length=300, help_text=gettext_lazy("Separated by commas.")
    )

    class Meta:
        model = Canvas
        fields = ("name", "description", "tags")
        labels = {"name": gettext_lazy("Name"), "description": gettext_lazy("Description")}
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, workspace: Workspace, *args: Any, **kwargs: Any) -> None:
        super().__init__(workspace, *args, **kwargs)
        self.initial["tags"] = ", ".join(self.instance.tags)

    def clean_tags(self) -> list[str]:
        tags = list(dict.fromkeys(tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()))
        if len(tags) > MOST_TAGS or any(len(tag) > 30 for tag in tags):
            raise forms.ValidationError(_("Ten tags at most, of 30 characters each."))
        return tags


class WallTimeField(forms.DateTimeField):
    """A time by a clock that is chosen in another field; the zone of whoever types it has no say.

    That zone may not have this time at all, on the night its own clocks change.
    """

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):
            found = super().to_python(value)
        if found and not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return found.replace(tzinfo=None) if found else None


class ScheduleForm(SectionForm):
    """Fields that the chosen kind of entry does not need are kept as they are."""

    entry_kind = forms.ChoiceField(
        label=gettext_lazy("How users enter"),
        widget=forms.RadioSelect,
        choices=(
            (Canvas.EntryKind.LAUNCH, gettext_lazy("Scheduled: when the Canvas is launched")),
            (Canvas.EntryKind.SCHEDULED, gettext_lazy("Scheduled: at a time, once or again and again")),
            (Canvas.EntryKind.EVENT, gettext_lazy("Action-based: a custom event happens")),
            (Canvas.EntryKind.API, gettext_lazy("API-triggered: a call names them")),
        ),
    )
    starts_at = WallTimeField(
        label=gettext_lazy("First time"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    ends_at = WallTimeField(
        label=gettext_lazy("Not after"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)

    class Meta:
        model = Canvas
        fields = ("entry_kind", "starts_at", "time_zone", "repeat", "cron", "ends_at", "event_name")
        labels = {
            "repeat": gettext_lazy("Repeat"),
            "cron": gettext_lazy("Cron expression"),
            "event_name": gettext_lazy("Name of the event"),
        }
        help_texts = {
            "cron": gettext_lazy("Minute, hour, day, month, weekday; “0 9 * * 1” is every Monday at nine."),
            "event_name": gettext_lazy("As programs send it to /api/v1/events."),
        }

    def __init__(self, workspace: Workspace, *args: Any, **kwargs: Any) -> None:
        super().__init__(workspace, *args, **kwargs)
        self.fields["time_zone"].choices = [("UTC", "UTC"), *places_by_area()]  # type: ignore[attr-defined]
        self.fields["repeat"].required = False
        zone = ZoneInfo(self.instance.time_zone)
        for name in ("starts_at", "ends_at"):
            moment = getattr(self.instance, name)
            self.initial[name] = moment.astimezone(zone).replace(tzinfo=None) if moment else None

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        data["repeat"] = data.get("repeat") or Canvas.Repeat.ONCE
        data["time_zone"] = data.get("time_zone") or "UTC"
        zone = ZoneInfo(data["time_zone"])
        for name in ("starts_at", "ends_at"):
            moment: datetime | None = data.get(name)
            data[name] = moment.replace(tzinfo=zone) if moment else None  # typed by the clock of that zone
        kind = data.get("entry_kind")
        if kind == Canvas.EntryKind.SCHEDULED:
            self._check_schedule(data)
        if kind == Canvas.EntryKind.EVENT and not data.get("event_name"):
            self.add_error("event_name", _("Say which event lets users in."))
        return data

    def _check_schedule(self, data: dict[str, Any]) -> None:
        starts_at, ends_at = data["starts_at"], data["ends_at"]
        if starts_at is None and "starts_at" not in self.errors:
            self.add_error("starts_at", _("Say when users enter first."))
        if data["repeat"] == Canvas.Repeat.CRON and recurring.cron_problem(data.get("cron") or ""):
            self.add_error("cron", _("Five fields that come due, and every 15 minutes at most."))
        if starts_at and ends_at and ends_at < starts_at and data["repeat"] != Canvas.Repeat.ONCE:
            self.add_error("ends_at", _("The end comes before the first time."))


class TargetForm(SectionForm):
    target = forms.ChoiceField(
        label=gettext_lazy("Target audience"),
        help_text=gettext_lazy("Who may enter. An API-triggered Canvas lets in whom the call names."),
    )

    class Meta:
        model = Canvas
        fields = ("target",)

    def __init__(self, workspace: Workspace, *args: Any, **kwargs: Any) -> None:
        super().__init__(workspace, *args, **kwargs)
        self.fields["target"].choices = self._targets(workspace)  # type: ignore[attr-defined]
        self.initial["target"] = _value_of(self.instance)

    def _targets(self, workspace: Workspace) -> list[tuple[str, Any]]:
        segments = [(f"segment:{each.pk}", each.name) for each in Segment.objects.filter(workspace=workspace)]
        broken_off = (Import.State.FAILED, Import.State.CANCELLED)
        imports = Import.objects.filter(workspace=workspace).exclude(state__in=broken_off).order_by("-id")
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

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        kind, _colon, pk = data.get("target", EVERYBODY).partition(":")
        self.instance.segment_id = int(pk) if kind == "segment" else None
        self.instance.source_import_id = int(pk) if kind == "import" else None
        return data


class SendForm(SectionForm):
    reentry_days = forms.IntegerField(
        label=gettext_lazy("Days that must lie between two entries"),
        help_text=gettext_lazy("0: as soon as they have left."),
        min_value=0,
        max_value=MOST_DAYS,
        required=False,
    )
    exit_segment = forms.ModelChoiceField(
        Segment.objects.none(),
        label=gettext_lazy("Users leave when they are in this segment"),
        help_text=gettext_lazy("Looked at when they enter and at the end of each wait."),
        required=False,
        empty_label=gettext_lazy("No segment"),
    )

    class Meta:
        model = Canvas
        fields = ("reentry", "reentry_days", "exit_event", "exit_segment")
        labels = {
            "reentry": gettext_lazy("Users may enter again once they have left"),
            "exit_event": gettext_lazy("Users leave when this event happens"),
        }
        help_texts = {"exit_event": gettext_lazy("As programs send it to /api/v1/events. Who waits leaves at once.")}

    def __init__(self, workspace: Workspace, *args: Any, **kwargs: Any) -> None:
        super().__init__(workspace, *args, **kwargs)
        self.fields["exit_segment"].queryset = Segment.objects.filter(workspace=workspace)  # type: ignore[attr-defined]

    def clean_reentry_days(self) -> int:
        return self.cleaned_data["reentry_days"] or 0


SECTIONS: dict[str, type[SectionForm]] = {
    "basics": BasicsForm,
    "schedule": ScheduleForm,
    "target": TargetForm,
    "send": SendForm,
}


def _value_of(canvas: Canvas) -> str:
    if canvas.segment_id:
        return f"segment:{canvas.segment_id}"
    return f"import:{canvas.source_import_id}" if canvas.source_import_id else EVERYBODY
