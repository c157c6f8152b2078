from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "pinsync.workspaces"
    label = "workspaces"
