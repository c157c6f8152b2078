"""Pinsync behind a socket, its files hashed and compressed as in production, with the bundled sandbox beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import override_settings
from django.test.testcases import LiveServerThread

from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import serving

HOST = "127.0.0.1"
STATIC = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}


@dataclass(frozen=True)
class Site:
    """Where the pages are, and the Pinterest they talk to. `answers` grows: path and status of each."""

    url: str
    sandbox: Sandbox
    sandbox_url: str
    answers: list[tuple[str, int]]


class _Thread(LiveServerThread):
    """Django's own, without its handler for static files: WhiteNoise serves them, as it does in production."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int]] = []
        super().__init__(HOST, static_handler=lambda _django: self._noting(get_wsgi_application()))
        self.daemon = True

    def _noting(self, application: WSGIApplication) -> WSGIApplication:
        """Note what was answered: a browser does not show a script that it was told 304."""

        def noting(environ: dict[str, Any], start_response: Any) -> Any:
            def start(status: str, headers: Any, *more: Any) -> Any:
                self.answers.append((environ["PATH_INFO"], int(status.split()[0])))
                return start_response(status, headers, *more)

            return application(environ, start)

        return noting


@contextmanager
def running(static_root: Path) -> Iterator[Site]:
    """Serve the test's database until the end of the block."""
    sandbox = Sandbox()
    with serving(sandbox) as sandbox_url, override_settings(**_as_in_production(static_root, sandbox_url)):
        call_command("collectstatic", interactive=False, verbosity=0)
        thread = _Thread()
        thread.start()
        thread.is_ready.wait()
        if thread.error:
            raise thread.error
        url = f"http://{HOST}:{thread.port}"
        try:
            with override_settings(BASE_URL=url):
                yield Site(url, sandbox, sandbox_url, thread.answers)
        finally:
            thread.terminate()
            connections.close_all()


def _as_in_production(static_root: Path, sandbox_url: str) -> dict[str, object]:
    return {
        "DEBUG": False,
        "ALLOWED_HOSTS": [HOST, "testserver"],
        "STATIC_ROOT": str(static_root),
        "STORAGES": STATIC,
        "WHITENOISE_USE_FINDERS": False,
        "WHITENOISE_AUTOREFRESH": False,
        "PINTEREST_API_URL": f"{sandbox_url}/v5",
        "PINTEREST_OAUTH_URL": f"{sandbox_url}/oauth/",
        "PINTEREST_SANDBOX_URL": sandbox_url,
        "PINTEREST_APP_ID": "1000001",
        "PINTEREST_APP_SECRET": "sandbox-secret",
        "PINTEREST_APP_FROM_ENV": False,
    }
