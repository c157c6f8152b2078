"""Forms of the workspace pages."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.models import Letters, Role, Theme
from pinsync.workspaces.preferences import places_by_area


class WorkspaceForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("The brand or team whose users you sync."), strip=True
    )


class MemberForm(forms.Form):
    """Somebody to add."""

    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.EDITOR)

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class LettersForm(forms.Form):
    letters = forms.ChoiceField(label=_("E-mails that you get"), choices=Letters.choices, widget=forms.RadioSelect)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What will use it, such as “Web shop”."), strip=True
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[(role.value, role.label) for role in (Role.VIEWER, Role.EDITOR)],
        initial=Role.EDITOR,
        help_text=_("Viewer reads figures; Editor also sends profiles and lets them into a Canvas."),
    )


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(label=_("Theme"), choices=Theme.choices, widget=forms.RadioSelect)


class PreferencesForm(ThemeForm):
    """What a person chooses for themselves."""

    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("All dates and times show in it; hover over one for the seconds."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("As the browser says")), *settings.LANGUAGES]  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
            ("", _("As the browser says")),
            ("UTC", "UTC"),
            *places_by_area(),
        ]
