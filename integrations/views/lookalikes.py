"""Audiences that resemble one of ours: those that were asked for, and the form for another one."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from integrations import audiences, lookalikes, sizes
from integrations.contract import AudiencePartner, LookalikeOffer
from integrations.creating import CannotCreate
from integrations.delivery import forecast
from integrations.errors import PartnerError
from integrations.forms import LookalikeForm
from integrations.models import Audience, Lookalike
from integrations.reasons import reason
from integrations.views.common import say_why, with_partner
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace
from pinsync.workspaces.templatetags.ui import duration


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
@with_partner
def lookalike(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, audience: int
) -> HttpResponse:
    seed, offer = _seed_or_404(workspace, partner, audience), partner.lookalikes
    if offer is None:
        raise Http404
    here = redirect("integrations:lookalike", workspace=workspace.slug, partner=partner.slug, audience=seed.pk)
    if "again" in request.POST:
        _ask_again(request, seed, partner)
        return here
    first = {"name": f"{seed.name} – {offer.name}"[: partner.longest_name]}
    form = LookalikeForm(request.POST or None, initial=first, seed=seed, offer=offer)
    if request.method == "POST" and form.is_valid() and _made(request, form, seed, partner, offer):
        return here
    context = {
        "partner": partner,
        "audience": seed,
        "offer": offer,
        "form": form,
        "standing": sizes.standing(seed),
        "lookalikes": [(one, reason(one.failure, partner.name)) for one in lookalikes.of(seed)],
    }
    return render(request, "integrations/lookalike.html", context, status=422 if form.is_bound else 200)


def _ask_again(request: WorkspaceRequest, seed: Audience, partner: AudiencePartner) -> None:
    """Read the ad account's audiences again: how the seed and what was made of it stand there now."""
    try:
        audiences.refresh(seed.ad_account, timezone.now())
        messages.success(request, _("Size and status are as of now."))
    except PartnerError as problem:
        say_why(request, partner, problem)


def _made(
    request: WorkspaceRequest, form: LookalikeForm, seed: Audience, partner: AudiencePartner, offer: LookalikeOffer
) -> bool:
    """Ask the partner and say what became of it; return False when the form must be shown again."""
    data = form.cleaned_data
    try:
        made = lookalikes.create(seed, data["name"], data["country"], data["percent"], request.user, timezone.now())
    except CannotCreate as refusal:
        form.add_error(None, str(refusal))
        return False
    values = {"kind": offer.name, "name": made.name}
    if made.state == Lookalike.State.READY:
        said = _("The {kind} “{name}” was created (id {id}). It can be used in a day or two.")
        messages.success(request, said.format(**values, id=made.external_id))
    elif made.state == Lookalike.State.CREATING:
        said = _("The {kind} “{name}” is being created: its turn for a request comes in about {time}.")
        wait = duration(max(forecast.next_slot_in(seed.ad_account.connection), 1))
        messages.info(request, said.format(**values, time=wait))
    else:
        why = reason(made.failure, partner.name)
        said = _("Failed to create the {kind} “{name}”.")
        form.add_error(None, f"{said.format(**values)} {why.name}: {why.cause} {why.way_out}")
        return False
    return True


def _seed_or_404(workspace: Workspace, partner: AudiencePartner, pk: int) -> Audience:
    ours = Audience.objects.filter(
        ad_account__connection__workspace=workspace, ad_account__connection__partner=partner.slug
    )
    found = ours.select_related("ad_account__connection__workspace").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found
