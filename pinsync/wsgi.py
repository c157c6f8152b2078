"""The web process: gunicorn pinsync.wsgi."""

import os

from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application

from pinsync.starting import loading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pinsync.settings")
with loading():
    application = get_wsgi_application()
    # gunicorn runs no system checks by itself: without this line production would start with the sandbox's settings.
    BaseCommand().check()
