"""What a sync step is set to: partner, ad account, audience, operation and fields."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from canvas.models import Step
from integrations import registry
from integrations.fields import fold
from integrations.models import AdAccount, Audience, AudienceSync, Connection, Operation
from pinsync.ids import row_id
from pinsync.profiles.matching import LABELS, MatchField


class AudienceSyncForm(forms.Form):
    """The audience is a combobox: `audience_text` is what stands in it, `audience` the id of the one chosen from it.

    Without a script people type a name; one that exists is found by it.
    """

    name = forms.CharField(label=gettext_lazy("Name of the step"), max_length=120)
    partner = forms.ChoiceField(label=gettext_lazy("Partner"), widget=forms.RadioSelect)
    ad_account = forms.ModelChoiceField(
        AdAccount.objects.none(), label=gettext_lazy("Ad account"), empty_label=gettext_lazy("Choose an ad account")
    )
    audience = forms.IntegerField(required=False, widget=forms.HiddenInput)
    audience_text = forms.CharField(
        label=gettext_lazy("Choose a New or Existing Audience"), max_length=300, required=False
    )
    operation = forms.ChoiceField(
        label=gettext_lazy("What to do"), choices=Operation.choices, widget=forms.RadioSelect, initial=Operation.ADD
    )
    fields_to_match = forms.MultipleChoiceField(
        label=gettext_lazy("Fields to match"),
        choices=list(LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one field.")},
    )

    def __init__(
        self, step: Step, data: Mapping[str, Any] | None = None, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), prefix=None)
        self.step = step
        self.fields["partner"].choices = [(each.slug, each.name) for each in registry.partners()]  # type: ignore[attr-defined]
        source = data if data is not None else self.initial
        self.partner_slug = str(source.get("partner") or "")
        self.connection = connection_for(step, self.partner_slug)
        self.fields["ad_account"].queryset = connected_accounts(self.connection)  # type: ignore[attr-defined]
        chosen = row_id(str(source.get("ad_account") or ""))
        self.chosen_account = connected_accounts(self.connection).filter(pk=chosen).first() if chosen else None

    @property
    def partner_name(self) -> str:
        return registry.name_of(self.partner_slug)

    @property
    def missing_accounts(self) -> list[AdAccount]:
        """Return the ad accounts of the connection that cannot be chosen; their state says why."""
        if self.connection is None:
            return []
        chosen = connected_accounts(self.connection).values("pk")
        return list(AdAccount.objects.filter(connection=self.connection).exclude(pk__in=chosen))

    @property
    def is_new(self) -> bool:
        """Return whether the combobox holds a name that no audience bears."""
        text = str(self["audience_text"].value() or "").strip()
        return bool(text) and self.chosen_account is not None and not self["audience"].value()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        ad_account, text = data.get("ad_account"), (data.get("audience_text") or "").strip()
        if ad_account is None:
            return data
        audience = find(ad_account, data.get("audience"), text)
        if audience is not None:
            data["chosen"] = audience
        elif text:
            said = _("There is no audience “%(name)s” yet. Press Create Audience first, or choose another one.")
            self.add_error("audience_text", said % {"name": text})
        else:
            self.add_error("audience_text", _("Choose an audience, or type the name of a new one."))
        return data

    def wanted(self) -> tuple[AdAccount, str] | None:
        """Return the ad account and the name of the audience to create, or None with the errors of these two alone."""
        self.full_clean()
        ad_account = self.cleaned_data.get("ad_account")
        name = (self.data.get("audience_text") or "").strip()
        self._errors = forms.utils.ErrorDict(
            {field: errors for field, errors in self.errors.items() if field in ("partner", "ad_account")}
        )
        if not name:
            self.add_error("audience_text", _("Type the name of the new audience."))
        elif len(name) > 300:
            self.add_error("audience_text", _("The name may have 300 characters at most."))
        elif wrong := _wrong(self.fields["audience_text"], name):
            self.add_error("audience_text", wrong)
        elif ad_account and find(ad_account, None, name) is not None:
            self.add_error("audience_text", _("This audience exists already. Choose it, or take another name."))
        return (ad_account, name) if ad_account and not self.errors else None

    def save(self) -> None:
        """Save step and sync. Whoever entered before keeps what was asked then."""
        data = self.cleaned_data
        Step.objects.filter(pk=self.step.pk).update(name=data["name"])
        AudienceSync.objects.filter(step=self.step).update(
            partner=data["partner"],
            ad_account=data["ad_account"],
            audience=data["chosen"],
            operation=data["operation"],
            match_fields=int(MatchField.parse(data["fields_to_match"])),
        )

    def adopt(self, ad_account: AdAccount, audience: Audience) -> None:
        """Save a new audience at once, so that closing the editor does not lose it; of a draft only."""
        if self.step.canvas.state == self.step.canvas.State.DRAFT:
            AudienceSync.objects.filter(step=self.step).update(
                partner=ad_account.connection.partner, ad_account=ad_account, audience=audience
            )


def _wrong(field: forms.Field, value: str) -> forms.ValidationError | None:
    """Return what the field itself has against a value."""
    try:
        field.clean(value)
    except forms.ValidationError as error:
        return error
    return None


def connection_for(step: Step, partner: str) -> Connection | None:
    """Return the workspace's connection to the partner, unless it was disconnected."""
    if partner not in {each.slug for each in registry.partners()}:
        return None
    found = Connection.objects.filter(workspace=step.canvas.workspace_id, partner=partner)
    return found.exclude(state=Connection.State.DISCONNECTED).first()


def connected_accounts(connection: Connection | None) -> QuerySet[AdAccount]:
    return AdAccount.objects.select_related("connection").filter(
        connection=connection, state=AdAccount.State.CONNECTED, may_write=True
    )


def find(ad_account: AdAccount, pk: int | None, text: str) -> Audience | None:
    """Return the audience that is meant: by id while the text still is its name, else by name."""
    ready = Audience.objects.filter(ad_account=ad_account, state=Audience.State.READY)
    by_id = ready.filter(pk=pk).first() if pk else None
    if by_id is not None and (not text or fold(text) == fold(by_id.name)):
        return by_id
    return ready.filter(name_folded=fold(text)).order_by("-id").first() if text else None


def saved(step: Step) -> dict[str, Any]:
    """Return the form's values as saved; where there is only one choice, it is made."""
    sync = step.sync
    partners = registry.partners()
    partner = sync.partner if sync and sync.partner else ""
    if not partner and len(partners) == 1:
        partner = partners[0].slug
    accounts = list(connected_accounts(connection_for(step, partner))[:2])
    ad_account = sync.ad_account_id if sync else None
    if ad_account is None and len(accounts) == 1:
        ad_account = accounts[0].pk
    audience = sync.audience if sync and sync.audience and sync.audience.state == Audience.State.READY else None
    return {
        "name": step.name,
        "partner": partner,
        "ad_account": ad_account,
        "audience": audience.pk if audience else None,
        "audience_text": audience.name if audience else "",
        "operation": sync.operation if sync else Operation.ADD,
        "fields_to_match": MatchField(sync.match_fields).names if sync else [],
    }


def filled_in(step: Step, data: QueryDict, created: Audience | None = None) -> dict[str, Any]:
    """Return the form's values as filled in so far. A changed partner or ad account lets go of what hung on it."""
    values: dict[str, Any] = {field: data.get(field, "") for field in AudienceSyncForm.base_fields}
    values["fields_to_match"] = data.getlist("fields_to_match")
    accounts = connected_accounts(connection_for(step, str(values["partner"])))
    chosen = row_id(str(values["ad_account"]))
    account = accounts.filter(pk=chosen).first() if chosen else None
    if account is None and accounts.count() == 1:
        account = accounts.get()
    values["ad_account"] = account.pk if account else None
    wanted = row_id(str(values["audience"]))
    audience = created or (find(account, wanted, "") if account and wanted else None)
    if created is None and values["audience"] and audience is None:
        values["audience_text"] = ""  # it belongs to another ad account
    if audience is not None and audience.state == Audience.State.READY:
        values |= {"audience": audience.pk, "audience_text": audience.name}
    else:
        values["audience"] = None
    return values
