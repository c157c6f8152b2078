"""Audiences at a partner: the local copy that pages search, and the ones that Pinsync made."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.fields import FoldedField
from integrations.models.connection import AdAccount


class Audience(models.Model):
    """A customer-list audience of an ad account.

    `target_id` is what users are written to (at Pinterest, the customer list). `state` is ours, `status` the partner's.
    """

    class State(models.TextChoices):
        CREATING = "creating", _("Being created")  # resumed, not repeated, after a crash
        READY = "ready", _("Exists")
        FAILED = "failed", _("Could not be created")
        GONE = "gone", _("Audience does not exist")

    ad_account = models.ForeignKey(AdAccount, models.CASCADE, related_name="audiences")
    external_id = models.CharField(max_length=40, null=True, blank=True)
    target_id = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=300)
    name_folded = FoldedField(of="name", max_length=600, editable=False)  # what searching and sorting go by
    description = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.READY)
    failure = models.CharField(max_length=40, blank=True)  # errors.py code, while FAILED or GONE
    status = models.CharField(max_length=30, blank=True)
    size = models.BigIntegerField(null=True, blank=True)  # hidden by the partner while small
    made_here = models.BooleanField(default=False)
    created_at = models.DateTimeField(null=True, blank=True)  # at the partner
    seen_at = models.DateTimeField()  # when status and size were read
    began_at = models.DateTimeField(null=True, blank=True)  # creation, by us
    asked_at = models.DateTimeField(null=True, blank=True)  # the last time that somebody wanted it made
    lease_until = models.DateTimeField(null=True, blank=True)  # while CREATING: somebody is at it, or waits until then

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        ordering = ("name_folded", "id")
        constraints = (
            models.UniqueConstraint(fields=("ad_account", "external_id"), name="audience_once_per_ad_account"),
            models.UniqueConstraint(
                fields=("ad_account", "name_folded"),
                condition=models.Q(state="creating"),
                name="audience_created_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | (models.Q(external_id__isnull=False) & ~models.Q(target_id="")),
                name="audience_ready_has_ids",
            ),
        )
        indexes = (
            # the combobox: a page by name
            models.Index(fields=("ad_account", "name_folded", "id"), name="audience_by_name"),
            # upkeep: creations to take up again
            models.Index(fields=("lease_until",), condition=models.Q(state="creating"), name="audience_creating"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.external_id or 'no id yet'})"


class AudienceSize(models.Model):
    """What the partner said an audience's size was, from `at` until the next row; NULL while it hides it.

    Written when the local copy is read again and the size has changed (integrations/sizes.py).
    """

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="sizes", db_index=False)
    at = models.DateTimeField()
    size = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("audience size")
        verbose_name_plural = _("audience sizes")
        constraints = (models.UniqueConstraint(fields=("audience", "at"), name="audience_size_once_at_a_time"),)

    def __str__(self) -> str:
        return f"Size {self.pk} of audience {self.audience_id}"


class Lane(models.Model):
    """One audience's place in the queue: the row that whoever claims or settles its order locks."""

    audience = models.OneToOneField(Audience, models.CASCADE, primary_key=True, related_name="lane")
    served_at = models.FloatField(default=0)  # seconds since the epoch; audiences take turns by it
    crowded = models.BooleanField(default=False, db_default=False)  # the last new batch was as full as one can be

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")

    def __str__(self) -> str:
        return f"Lane of audience {self.audience_id}"


class Recreation(models.Model):
    """A deleted audience that is made anew, and how far its users have come on the way back into it.

    The audience's row stays the same and gets new ids: history, the order of intents, lanes and steps all hang on it.
    """

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="recreations")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    began_at = models.DateTimeField()
    old_external_id = models.CharField(max_length=40, blank=True)
    old_target_id = models.CharField(max_length=40, blank=True)
    made_at = models.DateTimeField(null=True, blank=True)  # it exists again; sending its users again began
    last_batch = models.BigIntegerField(default=0)  # later ones were sent to the new audience
    through_batch = models.BigIntegerField(default=0)  # looked through up to here, by id
    to_look_through = models.BigIntegerField(default=0)  # users of those batches
    looked_through = models.BigIntegerField(default=0)
    sent_again = models.BigIntegerField(default=0)  # of them: pending again
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("recreation of an audience")
        verbose_name_plural = _("recreations of audiences")
        constraints = (
            # two people who press at once make one; also what workers look for unfinished ones by
            models.UniqueConstraint(
                fields=("audience",), condition=models.Q(ended_at__isnull=True), name="recreation_one_at_a_time"
            ),
        )

    def __str__(self) -> str:
        return f"Recreation {self.pk} of audience {self.audience_id}"
