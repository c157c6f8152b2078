"""Audience Sync: users are added to, or removed from, an audience at a technology partner."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from canvas.forms.audience_sync import AudienceSyncForm, filled_in, saved
from canvas.models import Step
from canvas.steps.base import Editor, Notice, PassingKind
from integrations import audiences, registry
from integrations.delivery import entering, forecast
from integrations.errors import PartnerError, RateLimited
from integrations.limits_said import limit_sentence
from integrations.models import AdAccount, Audience, AudienceSync, Operation
from integrations.problems import Problem
from integrations.reasons import reason
from pinsync.profiles.matching import LABELS, MatchField
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import User
from pinsync.workspaces.templatetags.ui import duration


class AudienceSyncKind(PassingKind):
    """Its settings are an AudienceSync. A change later counts for those who arrive after it."""

    slug = "audience_sync"
    label = gettext_lazy("Audience Sync")
    icon = "users"
    description = gettext_lazy("Users are added to an audience at a technology partner, or taken out of it.")
    default_name = gettext_lazy("Audience Sync")
    editor_button = gettext_lazy("Custom Audience")
    menu_order = 10
    editor_template = "canvas/steps/audience_sync.html"

    def prepare(self, step: Step) -> None:
        step.sync = AudienceSync.objects.create(workspace=step.canvas.workspace)

    def dispose(self, step: Step) -> None:
        if step.sync is not None:
            step.sync.delete()

    def keep(self, step: Step) -> dict[str, Any]:
        sync = step.sync
        if sync is None:
            return {}
        return {
            "partner": sync.partner,
            "ad_account": sync.ad_account_id,
            "audience": sync.audience_id,
            "operation": sync.operation,
            "match_fields": sync.match_fields,
        }

    def copy(self, step: Step) -> dict[str, Any]:
        """An audience that is being created, could not be, or is gone stays with the step that it belongs to."""
        exists = step.sync and step.sync.audience and step.sync.audience.state == Audience.State.READY
        return self.keep(step) | ({} if exists else {"audience": None})

    def bring_back(self, step: Step, kept: Mapping[str, Any]) -> None:
        ad_account = AdAccount.objects.filter(
            pk=kept.get("ad_account") or 0, connection__workspace=step.canvas.workspace_id
        ).first()
        step.sync = AudienceSync.objects.create(
            workspace=step.canvas.workspace,
            partner=kept.get("partner", ""),
            ad_account=ad_account,
            audience=Audience.objects.filter(pk=kept.get("audience") or 0, ad_account=ad_account).first(),
            operation=kept.get("operation", Operation.ADD),
            match_fields=kept.get("match_fields", 0),
        )

    def form(self, step: Step, data: Mapping[str, Any] | None = None) -> AudienceSyncForm:
        return AudienceSyncForm(step, data)

    def open(self, step: Step) -> Editor:
        return Editor(AudienceSyncForm(step, initial=saved(step)), notice=_not_there(step))

    def submit(self, step: Step, data: QueryDict, *, user: User, now: datetime) -> Editor:
        """Do as the button `do` says: `choose` shows what a choice leads to, `refresh` reads the audiences
        again, `create` makes the audience at the partner (a draft that nothing flows to), anything else is Done.
        """
        if data.get("do") in ("choose", "refresh"):
            form = AudienceSyncForm(step, initial=filled_in(step, data))
            if data["do"] == "choose" or form.chosen_account is None:
                return Editor(form)
            notice = _refreshed(form.chosen_account, now)
            return Editor(AudienceSyncForm(step, initial=filled_in(step, data)), notice=notice)
        form = AudienceSyncForm(step, data)
        if data.get("do") != "create":
            if not form.is_valid():
                return Editor(form)
            form.save()
            return Editor(form, done=True)
        wanted = form.wanted()
        if wanted is None:
            return Editor(form)
        ad_account, name = wanted
        try:
            audience = audiences.create(ad_account, name, "", now)
        except audiences.CannotCreate as refusal:
            form.add_error("audience_text", str(refusal))
            return Editor(form, notice=Notice(_failed(name), good=False))
        if audience.state in (Audience.State.READY, Audience.State.CREATING):
            form.adopt(ad_account, audience)
        return Editor(AudienceSyncForm(step, initial=filled_in(step, data, audience)), notice=_notice(audience))

    def problems(self, step: Step) -> list[Problem]:
        return self.problems_of([step])[step.pk]

    def problems_of(self, steps: Sequence[Step]) -> dict[int, list[Problem]]:
        found = audiences.problems_of([step.sync for step in steps if step.sync is not None])
        lost = [Problem(_("Its settings are lost. Delete it and add it again."))]
        return {step.pk: lost if step.sync is None else found[step.sync.pk] for step in steps}

    def summary(self, step: Step) -> list[tuple[str | Promise, str]]:
        sync = step.sync
        if sync is None or not sync.partner:
            return []
        fields = [str(LABELS[name]) for name in MatchField(sync.match_fields).names]
        audience = sync.audience
        return [
            (_("Partner"), registry.partner(sync.partner).name),
            (_("Ad account"), str(sync.ad_account or "–")),
            (_("Audience"), f"{audience.name} ({audience.external_id})" if audience else "–"),
            (_("Operation"), sync.get_operation_display()),
            (_("Fields"), ", ".join(fields) or "–"),
        ]

    def receive(self, step: Step, profiles: "QuerySet[Profile]", *, now: datetime) -> None:
        if step.sync is None:
            raise ValueError(f"Step {step.pk} has no AudienceSync.")
        entering.enter(step.sync, profiles, now=now)


def configure(step: Step, *, audience: Audience, operation: str, fields: MatchField) -> None:
    """Set a sync step without its editor: for programs."""
    ad_account: AdAccount = audience.ad_account
    AudienceSync.objects.filter(step=step).update(
        partner=ad_account.connection.partner,
        ad_account=ad_account,
        audience=audience,
        operation=operation,
        match_fields=int(fields),
    )


def _not_there(step: Step) -> Notice | None:
    """Return what is wrong with the audience that was chosen, where that is mended on a page of its own."""
    found = [each for each in audiences.problems(step.sync) if each.action] if step.sync else []
    return Notice(found[0].text, good=False, url=found[0].url, link=found[0].action) if found else None


def _notice(audience: Audience) -> Notice:
    if audience.state == Audience.State.READY:
        said = _("The audience “%(name)s” was created (id %(id)s). Nothing flows to it before launch.")
        return Notice(said % {"name": audience.name, "id": audience.external_id})
    if audience.state == Audience.State.CREATING:
        said = _("The audience “%(name)s” is being created: its turn for a request comes in about %(time)s.")
        wait = duration(max(forecast.next_slot_in(audience.ad_account.connection), 1))
        return Notice(said % {"name": audience.name, "time": wait})
    why = reason(audience.failure, registry.name_of(audience.ad_account.connection.partner))
    return Notice(f"{_failed(audience.name)} {why.name}: {why.cause} {why.way_out}", good=False)


def _refreshed(ad_account: AdAccount, now: datetime) -> Notice:
    try:
        count = audiences.refresh(ad_account, now)
    except PartnerError as error:
        why = reason(error.code, registry.name_of(ad_account.connection.partner))
        said = _("The audiences could not be read again; the list is the copy from before. %(cause)s")
        if isinstance(error, RateLimited):
            when = limit_sentence(registry.partner(ad_account.connection.partner), error)
            return Notice(said % {"cause": when}, good=False)
        return Notice(said % {"cause": why.cause}, good=False)
    return Notice(ngettext("%(count)s audience read.", "%(count)s audiences read.", count) % {"count": f"{count:,}"})


def _failed(name: str) -> str:
    return _("Failed to create audience '%(name)s'.") % {"name": name}


kind = AudienceSyncKind()
