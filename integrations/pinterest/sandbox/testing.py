"""The sandbox in tests: behind a real socket, or mounted on `responses` without one."""

import re
from collections.abc import Callable

import requests
import responses

from .clock import Clock
from .errors import AnswerDropped
from .sandbox import Sandbox
from .server import serving

__all__ = ["ManualClock", "mount", "serving"]

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS")


class ManualClock(Clock):
    """A clock that stands still until a test moves it. Waiting moves it, too."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        super().__init__()
        self.start = start
        self.passed = 0.0

    def time(self) -> float:
        """Return the real time, as the test has it."""
        return self.start + self.passed

    def monotonic(self) -> float:
        """Return the seconds that the test has let pass."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds


def mount(
    mock: responses.RequestsMock, sandbox: Sandbox, base_url: str, *, before: Callable[[], None] = lambda: None
) -> None:
    """Answer every request below an address from the sandbox, without a socket.

    A dropped answer is what `requests` makes of one: a ConnectionError. `before` is called where a connection would
    send its first byte.
    """

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        before()
        headers = {name: str(value) for name, value in request.headers.items()}
        body = request.body if isinstance(request.body, (bytes, str)) else b""
        try:
            return sandbox.answer(request.method or "GET", request.url or "", headers, body)
        except AnswerDropped:
            raise requests.ConnectionError("Connection aborted: the remote end closed it without an answer.") from None

    mock.assert_all_requests_are_fired = False  # a test need not send every method
    for method in METHODS:
        mock.add_callback(method, re.compile(f"{re.escape(base_url.rstrip('/'))}/.*"), answer, content_type=None)
