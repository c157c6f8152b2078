"""What people fill in on the partner pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from integrations import lookalikes
from integrations.contract import AdAccountInfo, LookalikeOffer
from integrations.models import Audience


class TermsForm(forms.Form):
    """The tick under a partner's terms."""

    terms = forms.BooleanField(
        label=_("I accept these terms for this workspace"),
        error_messages={"required": _("Accept the terms to connect.")},
    )


@dataclass(frozen=True)
class Choice:
    """One ad account to choose from."""

    info: AdAccountInfo
    is_chosen: bool


class AdAccountsForm(forms.Form):
    """Several ad accounts out of those a person reaches, with a search that keeps what is chosen."""

    q = forms.CharField(required=False)
    ad_account = forms.MultipleChoiceField(
        label=_("Ad accounts"),
        error_messages={
            "required": _("Choose at least one ad account."),
            "invalid_choice": _("One of these ad accounts cannot be chosen."),
        },
    )

    def __init__(self, *args: Any, infos: Sequence[AdAccountInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.infos = sorted(infos, key=lambda info: (not info.may_write, info.name.casefold(), info.id))
        choices = self.fields["ad_account"]
        if isinstance(choices, forms.MultipleChoiceField):
            choices.choices = [(info.id, info.name) for info in self.infos if info.may_write]

    def choices(self) -> list[Choice]:
        """Return what the search finds by name, id or country, and whatever is chosen already."""
        wanted = str(self["q"].value() or "").strip().casefold()
        value = self["ad_account"].value()
        chosen = set(value) if isinstance(value, list) else set()
        return [
            Choice(info, info.id in chosen and info.may_write)
            for info in self.infos
            if wanted in f"{info.name} {info.id} {info.country}".casefold() or info.id in chosen
        ]


class LookalikeForm(forms.Form):
    """What an audience that resembles another one is called, and how large it is."""

    name = forms.CharField(label=_("Name"), max_length=300)
    country = forms.ChoiceField(label=_("Country"), help_text=_("Its people are compared with those of the audience."))
    percent = forms.TypedChoiceField(
        label=_("Share of the country's people"),
        coerce=int,
        help_text=_("A small share is the most alike, a large one reaches more people."),
    )

    def __init__(self, *args: Any, seed: Audience, offer: LookalikeOffer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        country, percent = self.fields["country"], self.fields["percent"]
        if isinstance(country, forms.ChoiceField) and isinstance(percent, forms.ChoiceField):
            country.choices = [(code, code) for code in lookalikes.countries(seed)]
            percent.choices = [(share, _("%(percent)s %%") % {"percent": share}) for share in offer.percents]
