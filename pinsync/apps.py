from django.apps import AppConfig


class PinsyncConfig(AppConfig):
    name = "pinsync"

    def ready(self) -> None:
        from pinsync import checks, failures  # noqa: F401  checks register themselves

        failures.install()
