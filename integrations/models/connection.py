"""A workspace's connection to a partner, the ad accounts it reaches, and the pace its person must keep."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.fields import EncryptedField
from pinsync.workspaces.models import Workspace


class Connection(models.Model):
    """One per workspace and partner. It belongs to the workspace; another person may take it over.

    Tokens are encrypted; no call is made unless `may_call`.
    """

    class State(models.TextChoices):
        CONNECTED = "connected", _("Connected")
        BROKEN = "broken", _("Invalid token")
        DISCONNECTED = "disconnected", _("Disconnected")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="connections")
    partner = models.CharField(max_length=30)  # slug, see registry.py
    state = models.CharField(max_length=15, choices=State.choices, default=State.CONNECTED)
    partner_user_id = models.CharField(max_length=40)
    partner_user_name = models.CharField(max_length=200, blank=True)
    access_token = EncryptedField(blank=True)
    refresh_token = EncryptedField(blank=True)
    scopes = models.JSONField(default=list)
    access_expires_at = models.DateTimeField(null=True, blank=True)
    refresh_expires_at = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    # Counts the writes of tokens. Whoever judged or replaced a token says which one it was: a late verdict on an old
    # token changes nothing.
    generation = models.PositiveIntegerField(default=0)
    refresh_lease = models.UUIDField(null=True, blank=True)  # of the one process that refreshes now
    refresh_lease_until = models.DateTimeField(null=True, blank=True)  # without a lease: not tried before
    connected_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    connected_at = models.DateTimeField()
    broken_at = models.DateTimeField(null=True, blank=True)
    broken_code = models.CharField(max_length=40, blank=True)  # errors.py
    notified_at = models.DateTimeField(null=True, blank=True)  # one e-mail per break
    paused_at = models.DateTimeField(null=True, blank=True)  # by staff; nothing is sent while set
    looked_at = models.DateTimeField(null=True, blank=True)  # upkeep looked whether lost ad accounts are back

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        constraints = (models.UniqueConstraint(fields=("workspace", "partner"), name="connection_once_per_workspace"),)
        indexes = (models.Index(fields=("partner", "partner_user_id"), name="connection_of_partner_user"),)

    def __str__(self) -> str:
        return f"Connection {self.pk}: {self.partner}, {self.state}"

    @property
    def may_call(self) -> bool:
        """Return whether the partner may be called with this token."""
        return self.state == self.State.CONNECTED and self.paused_at is None


class AdAccount(models.Model):
    """An ad account that the connected person reaches; only the chosen ones are CONNECTED."""

    class State(models.TextChoices):
        AVAILABLE = "available", _("Not chosen")
        CONNECTED = "connected", _("Connected")
        LOST = "lost", _("Access lost")

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="ad_accounts")
    external_id = models.CharField(max_length=40)
    name = models.CharField(max_length=256)
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    roles = models.JSONField(default=list)  # the partner's words for what the person may do there
    may_write = models.BooleanField(default=True)  # whether those roles suffice to manage audiences
    state = models.CharField(max_length=15, choices=State.choices, default=State.AVAILABLE)
    seen_at = models.DateTimeField()
    audiences_refreshed_at = models.DateTimeField(null=True, blank=True)  # age of the local copy
    audiences_tried_at = models.DateTimeField(null=True, blank=True)  # by upkeep, with or without success

    class Meta:
        verbose_name = _("ad account")
        verbose_name_plural = _("ad accounts")
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(fields=("connection", "external_id"), name="ad_account_once_per_connection"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.external_id})"


class TermsAcceptance(models.Model):
    """Who ticked a partner's terms for a workspace, and when. Appended only."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    partner = models.CharField(max_length=30)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    accepted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("acceptance of terms")
        verbose_name_plural = _("acceptances of terms")

    def __str__(self) -> str:
        return f"Terms of {self.partner} accepted ({self.pk})"


class Authorization(models.Model):
    """One way to a partner's consent page and back: used once, 10 minutes, bound to person and workspace.

    Holds what consent gave until the ad accounts are confirmed, so that nothing is ever half connected.
    """

    class Purpose(models.TextChoices):
        CONNECT = "connect", _("Connect")
        CHANGE = "change", _("Change account")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    partner = models.CharField(max_length=30)
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.CONNECT)
    state_digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the `state` parameter
    created_at = models.DateTimeField()
    returned_at = models.DateTimeField(null=True, blank=True)  # consent came back; `state` is used up
    completed_at = models.DateTimeField(null=True, blank=True)  # ad accounts confirmed, tokens handed over
    access_token = EncryptedField(blank=True)
    refresh_token = EncryptedField(blank=True)
    scopes = models.JSONField(default=list)
    access_expires_at = models.DateTimeField(null=True, blank=True)
    refresh_expires_at = models.DateTimeField(null=True, blank=True)
    partner_user_id = models.CharField(max_length=40, blank=True)
    partner_user_name = models.CharField(max_length=200, blank=True)
    ad_accounts = models.JSONField(default=list)  # what the person reaches, as plain values

    class Meta:
        verbose_name = _("authorization")
        verbose_name_plural = _("authorizations")

    def __str__(self) -> str:
        return f"Authorization {self.pk}: {self.purpose}"


class Pace(models.Model):
    """When the next request of one partner user may start, over all workspaces, workers and machines.

    Times are seconds since the epoch (the database's clock on PostgreSQL): pacing.py does arithmetic on them in SQL.
    """

    partner = models.CharField(max_length=30)
    partner_user_id = models.CharField(max_length=40)
    next_slot = models.FloatField(default=0)  # of a write
    next_read = models.FloatField(default=0)
    slowdown = models.FloatField(default=1)  # ≥ 1; learned from 429s, forgotten step by step
    blocked_until = models.FloatField(default=0)  # a 429 said so
    blocked_at = models.FloatField(default=0)  # when that and the refusals right before it began

    class Meta:
        verbose_name = _("pace of a partner user")
        verbose_name_plural = _("paces of partner users")
        constraints = (
            models.UniqueConstraint(fields=("partner", "partner_user_id"), name="pace_once_per_partner_user"),
            models.CheckConstraint(condition=models.Q(slowdown__gte=1), name="pace_never_faster"),
        )

    def __str__(self) -> str:
        return f"Pace of {self.partner} user {self.partner_user_id}"


class AppPace(models.Model):
    """When the next write request of our whole app may start, at a partner with a quota (contract.Quota).

    Times are as in Pace. The row is also what whoever counts reads holds meanwhile.
    """

    partner = models.CharField(max_length=30, primary_key=True)
    next_slot = models.FloatField(default=0)
    blocked_until = models.FloatField(default=0)  # a 429 said so
    claimed_until = models.FloatField(default=0)  # somebody makes a batch for the next slot

    class Meta:
        verbose_name = _("pace of the app")
        verbose_name_plural = _("paces of the app")

    def __str__(self) -> str:
        return f"Pace of our app at {self.partner}"


class AppRead(models.Model):
    """One request of our app that spent some of a partner's quota and was no write; kept until it no longer counts.

    Writes are not written down: they are spaced so that they never use more than their share.
    """

    partner = models.CharField(max_length=30)
    at = models.FloatField()  # seconds since the epoch

    class Meta:
        verbose_name = _("read of the app")
        verbose_name_plural = _("reads of the app")
        indexes = (models.Index(fields=("partner", "at"), name="app_read_by_time"),)

    def __str__(self) -> str:
        return f"Read {self.pk} at {self.partner}"
