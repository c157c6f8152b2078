"""To the partner's consent page, back, and on to the choice of ad accounts."""

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from integrations import connecting, consenting
from integrations.contract import AudiencePartner
from integrations.forms import AdAccountsForm, TermsForm
from integrations.models import AdAccount, Authorization
from integrations.views.common import live_connection_or_404, partner_or_404, with_partner
from integrations.views.partners import show
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, User, Workspace

NAMED_AT_MOST = 5  # things somebody does not reach, in one message


@workspace_view(Role.ADMIN)
@require_POST
@with_partner
def connect(request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner) -> HttpResponse:
    """Connect, or reconnect: the terms are ticked once for a workspace."""
    now = timezone.now()
    if consenting.accepted_terms(workspace, partner.slug) is None:
        form = TermsForm(request.POST)
        if not form.is_valid():
            return show(request, workspace, partner, form, status=422)
        consenting.accept_terms(workspace, request.user, partner.slug, now)
    return redirect(consenting.begin(workspace, request.user, partner.slug, Authorization.Purpose.CONNECT, now))


@workspace_view(Role.ADMIN)
@require_POST
@with_partner
def change(request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner) -> HttpResponse:
    """Let another person at the partner take the connection over."""
    live_connection_or_404(workspace, partner)
    return redirect(
        consenting.begin(workspace, request.user, partner.slug, Authorization.Purpose.CHANGE, timezone.now())
    )


@never_cache
@require_GET
def callback(request: HttpRequest, partner: str) -> HttpResponse:
    """Take the person who comes back from the partner. The workspace comes from the stored Authorization."""
    if not isinstance(request.user, User):
        return redirect_to_login(request.get_full_path())
    known = partner_or_404(partner)
    now = timezone.now()
    try:
        authorization = consenting.come_back(
            known.slug,
            request.user,
            state=request.GET.get("state", ""),
            code=request.GET.get("code", ""),
            error=request.GET.get("error", ""),
            now=now,
        )
    except consenting.ConsentProblem as problem:
        if problem.authorization is None:
            context = {"partner": known, "problem": problem}
            return render(request, "integrations/consent_problem.html", context, status=400)
        (messages.info if problem.is_cancelled else messages.error)(request, str(problem))
        return redirect("integrations:partner", workspace=problem.authorization.workspace.slug, partner=known.slug)
    slug = authorization.workspace.slug
    if connecting.needs_choice(authorization):
        return redirect("integrations:choose", workspace=slug, partner=known.slug, authorization=authorization.pk)
    try:
        connection = connecting.take_over(authorization, now)
    except connecting.WouldLose as problem:
        messages.error(request, f"{problem} {_named(problem.missing)}")
    except connecting.CannotConnect as problem:
        messages.error(request, str(problem))
    else:
        sentence = _("You connected {partner} as “{person}”. Everything that waited goes on.")
        messages.success(request, sentence.format(partner=known.name, person=connection.partner_user_name))
    return redirect("integrations:partner", workspace=slug, partner=known.slug)


def _named(missing: list[connecting.NotReached]) -> str:
    names = ", ".join(f"{one.kind} “{one.name}”" for one in missing[:NAMED_AT_MOST])
    more = len(missing) - NAMED_AT_MOST
    sentence = _("Missing: {names}.") if more <= 0 else _("Missing: {names} and {more} more.")
    return sentence.format(names=names, more=more)


@workspace_view(Role.ADMIN)
@require_http_methods(["GET", "POST"])
@with_partner
def choose(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, authorization: int
) -> HttpResponse:
    """Choose ad accounts after consent, and confirm."""
    now = timezone.now()
    found = _waiting_or_404(request, workspace, partner, authorization)
    form = AdAccountsForm(request.POST or None, infos=consenting.infos(found))
    context = {"partner": partner, "authorization": found, "form": form, "is_searching": "search" in request.POST}
    if request.headers.get("HX-Request") == "true":
        return render(request, "integrations/_ad_account_choices.html", context)
    if "search" in request.POST or not form.is_valid():
        return render(request, "integrations/choose.html", context)
    try:
        connection = connecting.complete(found, form.cleaned_data["ad_account"], now)
    except connecting.CannotConnect as problem:
        messages.error(request, str(problem))
    else:
        number = connection.ad_accounts.filter(state=AdAccount.State.CONNECTED).count()
        sentence = ngettext(
            "You successfully connected {number} {partner} ad account.",
            "You successfully connected {number} {partner} ad accounts.",
            number,
        )
        messages.success(request, sentence.format(number=number, partner=partner.name))
    return redirect("integrations:partner", workspace=workspace.slug, partner=partner.slug)


@workspace_view(Role.ADMIN)
@require_POST
@with_partner
def cancel(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, authorization: int
) -> HttpResponse:
    """Forget what consent gave instead of choosing ad accounts."""
    consenting.abandon(_waiting_or_404(request, workspace, partner, authorization), timezone.now())
    messages.info(request, _("Cancelled. {partner} was not connected.").format(partner=partner.name))
    return redirect("integrations:partner", workspace=workspace.slug, partner=partner.slug)


def _waiting_or_404(
    request: WorkspaceRequest, workspace: Workspace, partner: AudiencePartner, pk: int
) -> Authorization:
    found = consenting.waiting(workspace, request.user, partner.slug, pk, timezone.now())
    if found is None:
        raise Http404
    return found
