"""allauth's forms, whose fields are called and look as all others do: the label says what is wanted, nothing else."""

from typing import Any

from allauth.account import forms as allauth
from django.utils.translation import gettext_lazy as _

ADDRESS = _("E-mail address")


class OurFields:
    """To be mixed in before a form of allauth's."""

    fields: dict[str, Any]
    address = ADDRESS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            if name in ("login", "email"):
                field.label = self.address


class LoginForm(OurFields, allauth.LoginForm):
    pass


class SignupForm(OurFields, allauth.SignupForm):
    pass


class AddEmailForm(OurFields, allauth.AddEmailForm):
    address = _("New e-mail address")


class ResetPasswordForm(OurFields, allauth.ResetPasswordForm):
    pass


class ResetPasswordKeyForm(OurFields, allauth.ResetPasswordKeyForm):
    pass


class ChangePasswordForm(OurFields, allauth.ChangePasswordForm):
    pass


class ReauthenticateForm(OurFields, allauth.ReauthenticateForm):
    pass
