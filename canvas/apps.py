from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CanvasConfig(AppConfig):
    """Hands what it knows to the apps below, which do not know it."""

    name = "canvas"
    verbose_name = _("Canvas")

    def ready(self) -> None:
        from canvas import audited, reading
        from canvas.analytics import person
        from canvas.home import first_step, panel
        from integrations import usage
        from pinsync.profiles import panels
        from pinsync.workspaces import audit, home

        usage.register(reading.usages)
        home.register("canvas", panel, order=5)
        home.register_first_step("canvas", first_step, order=30)
        panels.register("canvas", reading.profile_panel, order=50)
        panels.register("deliveries", person.panel, order=60)
        audit.name_things(
            {
                "canvas": audited.canvases,
                "of": audited.canvases,
                "batch": audited.batches,
                "simulator.run": audited.simulations,
                "scenario.run": audited.stories,
            }
        )
        audit.name_actions(
            {
                "canvas.created": _("Canvas created"),
                "canvas.changed": _("Canvas changed"),
                "canvas.duplicated": _("Canvas duplicated"),
                "canvas.launched": _("Canvas launched"),
                "canvas.stopped": _("Canvas stopped"),
                "canvas.resumed": _("Canvas resumed"),
                "canvas.archived": _("Canvas archived"),
                "canvas.unarchived": _("Canvas taken from the archive"),
                "scenario.started": _("Scenario started"),
                "scenario.cancelled": _("Scenario cancelled"),
                "simulator.started": _("Simulation started"),
                "simulator.stopped": _("Simulation stopped"),
            }
        )
