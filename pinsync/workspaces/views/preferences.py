"""A person's own preferences, which hold in every workspace."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from pinsync.workspaces import preferences as domain
from pinsync.workspaces.forms import PreferencesForm, ThemeForm
from pinsync.workspaces.models import Theme, User


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    person = _person(request)
    initial = {"theme": person.theme, "language": person.language, "time_zone": person.time_zone}
    form = PreferencesForm(request.POST or None, initial=initial)
    if form.is_valid():
        chosen = form.cleaned_data
        domain.save(person, theme=Theme(chosen["theme"]), language=chosen["language"], time_zone=chosen["time_zone"])
        with translation.override(domain.language_of(person) or translation.get_language()):
            messages.success(request, _("Saved."))
        return redirect("workspaces:preferences")
    return render(request, "workspaces/preferences.html", {"form": form, "now": timezone.now()})


@require_POST
@never_cache
@login_required
def theme(request: HttpRequest) -> HttpResponse:
    """Change the theme from the person menu: the page in the browser changes itself, or is shown again."""
    form = ThemeForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=422)
    domain.save_theme(_person(request), Theme(form.cleaned_data["theme"]))
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=204)
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if is_ours else "/")


def _person(request: HttpRequest) -> User:
    """Return the signed-in person; only called behind `login_required`."""
    assert isinstance(request.user, User)
    return request.user
