"""All components in all states, drawn by the templates and style sheets that the product uses. For staff."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET


class SampleForm(forms.Form):
    """One field of every kind, so that the guide shows what a real form looks like."""

    name = forms.CharField(
        label=gettext_lazy("Name"), help_text=gettext_lazy("The brand or team whose users you sync.")
    )
    email = forms.EmailField(label=gettext_lazy("E-mail address"))
    role = forms.ChoiceField(
        label=gettext_lazy("Role"), choices=[("admin", gettext_lazy("Admin")), ("viewer", gettext_lazy("Viewer"))]
    )
    about = forms.CharField(label=gettext_lazy("Description"), required=False, widget=forms.Textarea({"rows": 3}))
    file = forms.FileField(label=gettext_lazy("CSV file"), required=False)
    theme = forms.ChoiceField(
        label=gettext_lazy("Theme"),
        widget=forms.RadioSelect,
        choices=[("light", gettext_lazy("Light")), ("dark", gettext_lazy("Dark"))],
    )
    terms = forms.BooleanField(label=gettext_lazy("I accept the terms"), help_text=gettext_lazy("Read them first."))


@require_GET
@never_cache
def styleguide(request: HttpRequest) -> HttpResponse:
    """Nobody but staff learns that the page exists."""
    if not request.user.is_staff:
        raise Http404
    untouched = SampleForm(initial={"name": "Acme", "theme": "light"}, prefix="untouched")
    refused = SampleForm({"refused-email": "nobody"}, prefix="refused")
    switched_off = SampleForm(initial={"name": "Acme", "theme": "dark"}, prefix="off")
    for field in switched_off.fields.values():
        field.disabled = True
    context: dict[str, Any] = {
        "forms": [(_("Untouched"), untouched), (_("Refused"), refused), (_("Switched off"), switched_off)],
        "samples": [
            Message(messages.SUCCESS, _("Saved.")),
            Message(messages.INFO, _("This Canvas is active: a change counts for users who arrive from now on.")),
            Message(messages.WARNING, _("Pinsync does not answer just now; what you see may be old.")),
            Message(messages.ERROR, _("A workspace needs an Admin: make somebody else Admin first.")),
        ],
        "now": timezone.now(),
    }
    return render(request, "styleguide/page.html", context)
