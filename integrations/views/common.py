"""What several partner pages need."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from integrations import connecting, registry
from integrations.contract import AudiencePartner
from integrations.errors import AccessLost, NeedsReconnect, PartnerError, RateLimited
from integrations.limits_said import limit_sentence
from integrations.models import AdAccount, Connection
from pinsync.middleware import POLICY
from pinsync.workspaces.models import Workspace

View = Callable[..., HttpResponse]


def partner_or_404(slug: str) -> AudiencePartner:
    try:
        return registry.partner(slug)
    except KeyError:
        raise Http404 from None


def with_partner(view: View) -> View:
    """Call the view with the partner itself instead of its slug; 404 for one that is not in the settings."""

    @wraps(view)
    def known(request: HttpRequest, workspace: Workspace, *, partner: str, **kwargs: Any) -> HttpResponse:
        return view(request, workspace, partner=partner_or_404(partner), **kwargs)

    return known


def live_connection_or_404(workspace: Workspace, partner: AudiencePartner) -> Connection:
    """Return the connection unless there is none, or it was disconnected."""
    connection = connecting.connection_of(workspace, partner.slug)
    if connection is None or connection.state == Connection.State.DISCONNECTED:
        raise Http404
    return connection


def ad_account_or_404(workspace: Workspace, partner: AudiencePartner, pk: int) -> AdAccount:
    found = (
        AdAccount.objects.filter(pk=pk, connection__workspace=workspace, connection__partner=partner.slug)
        .select_related("connection__workspace")
        .first()
    )
    if found is None:
        raise Http404
    return found


def say_why(request: HttpRequest, partner: AudiencePartner, problem: PartnerError) -> None:
    """Put a sentence about a failed call on the next page."""
    if isinstance(problem, NeedsReconnect):
        sentence = _("{partner} refuses the token. Reconnect below.")
    elif isinstance(problem, AccessLost):
        sentence = _("{partner} gives the connected person no access there.")
    elif isinstance(problem, RateLimited):
        messages.error(request, limit_sentence(partner, problem))
        return
    else:
        sentence = _("{partner} does not answer just now. Nothing was changed; try again in a few minutes.")
    messages.error(request, sentence.format(partner=partner.name))


def let_forms_lead_to(response: HttpResponse, partner: AudiencePartner) -> HttpResponse:
    """Allow the page's forms to end at the partner's consent page: browsers hold redirects to the policy, too."""
    parts = urlsplit(partner.consent_url(redirect_uri="", state=""))
    origin = f"{parts.scheme}://{parts.netloc}"
    response["Content-Security-Policy"] = POLICY.replace("form-action 'self'", f"form-action 'self' {origin}")
    return response
