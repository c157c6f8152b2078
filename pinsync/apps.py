from django.apps import AppConfig


class PinsyncConfig(AppConfig):
    name = "pinsync"

    def ready(self) -> None:
        from pinsync import checks  # noqa: F401  registers itself
