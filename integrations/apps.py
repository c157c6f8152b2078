from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self) -> None:
        from integrations import audited, watching
        from integrations.contract import door
        from integrations.delivery.reading import keep_door
        from integrations.home import first_step, panel
        from pinsync import health, metrics
        from pinsync.workspaces import audit, home

        door.keep(keep_door)
        health.register("tick", watching.tick, order=10)
        health.register("oldest_pending", watching.oldest_pending, order=20)
        health.register("queue", watching.queue, order=30)
        metrics.register("delivery", watching.gauges)
        home.register("integrations", panel, order=10)
        home.register_first_step("integrations", first_step, order=10)
        audit.name_things(
            {
                "audience": audited.audiences,
                "ad_account": audited.ad_accounts,
                "partner_user": audited.partner_users,
                "reason": audited.reasons,
            }
        )
        audit.name_actions(
            {
                "ad_account.disconnected": _("Ad account disconnected"),
                "ad_accounts.connected": _("Ad accounts connected"),
                "audience.lookalike_asked": _("Lookalike of an audience asked for"),
                "audience.recreated": _("Deleted audience recreated"),
                "partner.broken": _("Partner refused the token"),
                "partner.connected": _("Partner connected"),
                "partner.disconnected": _("Partner disconnected"),
                "partner.taken_over": _("Partner connected as another person"),
                "partner.paused": _("Connection paused by staff"),
                "partner.unpaused": _("Connection resumed by staff"),
                "users.retried": _("Users retried"),
                "users.retry_cancelled": _("Retry of users cancelled"),
            }
        )
