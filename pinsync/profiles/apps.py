from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    name = "pinsync.profiles"
    label = "profiles"
