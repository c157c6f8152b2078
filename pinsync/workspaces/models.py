"""People, the workspaces they share, and what they did there."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class UserManager(BaseUserManager["User"]):
    """People sign in by e-mail address; there is no user name."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})


class Theme(models.TextChoices):
    """How pages look; SYSTEM follows the device."""

    SYSTEM = "system", pgettext_lazy("theme", "System")
    LIGHT = "light", pgettext_lazy("theme", "Light")
    DARK = "dark", pgettext_lazy("theme", "Dark")


class User(AbstractUser):
    """A person who signs in, and how they like their pages. Users of a brand are Profiles."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True)
    theme = models.CharField(max_length=6, choices=Theme.choices, default=Theme.SYSTEM)
    language = models.CharField(max_length=10, blank=True)  # of settings.LANGUAGES; "" is the browser's
    time_zone = models.CharField(max_length=64, blank=True)  # IANA name; "" is the browser's

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[misc,assignment]

    def __str__(self) -> str:
        return f"User {self.pk}"


class Workspace(models.Model):
    """One brand: its members, profiles, connections and Canvases.

    Everything else belongs to a workspace, and nothing is visible from another one.
    """

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=60, unique=True)
    members: "models.ManyToManyField[User, Member]" = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Member", related_name="workspaces"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("workspace")
        verbose_name_plural = _("workspaces")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/w/{self.slug}/"


class Role(models.TextChoices):
    """What a member may do; each role may do all that the ones below it may."""

    ADMIN = "admin", _("Admin")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")

    @property
    def rank(self) -> int:
        return {"viewer": 0, "editor": 1, "admin": 2}[self.value]


class Letters(models.TextChoices):
    """Which e-mails about a workspace a member gets, such as that a connection broke."""

    OWN = "own", _("About what I connected; as an Admin also about what was connected by somebody who has left")
    ALL = "all", _("About everything in this workspace")
    NONE = "none", _("None")


class Member(models.Model):
    """A person's role in one workspace. The last Admin of a workspace cannot go."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    letters = models.CharField(max_length=4, choices=Letters.choices, default=Letters.OWN)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = (models.UniqueConstraint(fields=("workspace", "user"), name="member_once_per_workspace"),)

    def __str__(self) -> str:
        return f"Member {self.pk}: {self.role}"

    def may(self, role: str) -> bool:
        """Return whether this member has at least `role`."""
        return Role(self.role).rank >= Role(role).rank


class Invitation(models.Model):
    """Somebody without an account who becomes a member on signing up with this address.

    Nothing but the address counts, and signing up proves it: there is no link that could be passed on.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(max_length=10, choices=Role.choices)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = (models.UniqueConstraint(fields=("workspace", "email"), name="invited_once_per_workspace"),)
        indexes = (models.Index(fields=("email",), name="invitation_by_email"),)  # on every sign-in

    def __str__(self) -> str:
        return f"Invitation {self.pk}: {self.role}"


class ApiKey(models.Model):
    """A program's way in. Only the SHA-256 of the key is kept; the key itself is shown once."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.EDITOR)
    prefix = models.CharField(max_length=12)  # shown so that people can tell keys apart
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"API key {self.prefix}…"


class AuditEvent(models.Model):
    """Who did what, when: connects, launches, roles, retries. Appended, never changed.

    `detail` holds ids and counts, never an address or a token.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="audit_events")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    action = models.CharField(max_length=60)  # "canvas.launched"
    target = models.CharField(max_length=200, blank=True)  # what people call the thing
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("entry of the audit log")
        verbose_name_plural = _("audit log")
        indexes = (models.Index(fields=("workspace", "-id"), name="audit_of_workspace"),)

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"
