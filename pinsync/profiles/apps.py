from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProfilesConfig(AppConfig):
    name = "pinsync.profiles"
    label = "profiles"
    verbose_name = _("Profiles")

    def ready(self) -> None:
        from pinsync.profiles import audited
        from pinsync.profiles.home import first_step
        from pinsync.workspaces import audit, home

        home.register_first_step("profiles", first_step, order=20)
        audit.name_things({"segment": audited.segments, "profile": audited.profiles, "import.run": audited.imports})
        audit.name_actions(
            {
                "import.cancelled": _("Import cancelled"),
                "import.started": _("Import started"),
                "segment.created": _("Segment created"),
                "segment.changed": _("Segment changed"),
                "segment.deleted": _("Segment deleted"),
            }
        )
