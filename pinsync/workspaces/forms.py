"""Forms of the workspace pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.models import Role


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
