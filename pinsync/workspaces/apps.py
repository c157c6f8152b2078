from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "pinsync.workspaces"
    label = "workspaces"

    def ready(self) -> None:
        from pinsync.workspaces import signals  # noqa: F401  registers itself
