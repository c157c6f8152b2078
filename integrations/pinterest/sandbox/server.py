"""The sandbox behind a socket: HTTP/1.1 with connections that stay open, a thread for each."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.servers.basehttp import ServerHandler, ThreadedWSGIServer, WSGIRequestHandler

from .errors import AnswerDropped
from .request import Arrival
from .sandbox import Sandbox

IDLE_SECONDS = 75  # an idle connection is closed after this


class AnswerHandler(ServerHandler):
    """Run the application once. Remembers whether the answer is to be dropped."""

    dropped = False

    def run(self, application: Any) -> None:
        def watched(environ: Any, start_response: Any) -> Any:
            try:
                return application(environ, start_response)
            except AnswerDropped:
                self.dropped = True
                raise  # wsgiref lets the connection go without a word

        super().run(watched)


class SandboxRequestHandler(WSGIRequestHandler):
    """Read requests from one connection. Notes the arrival as soon as the first line is there."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for an answer, not one for each header
    timeout = IDLE_SECONDS
    server: "SandboxServer"

    def handle_one_request(self) -> None:
        try:
            self.raw_requestline = self.rfile.readline(65537)
        except (TimeoutError, ConnectionError):
            self.raw_requestline = b""
        clock = self.server.sandbox.clock
        arrival = Arrival(clock.time(), clock.monotonic())
        if not self.raw_requestline or len(self.raw_requestline) > 65536:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        environ = self.get_environ() | {"sandbox.arrival": arrival}
        handler = AnswerHandler(self.rfile, self.wfile, self.get_stderr(), environ)
        handler.request_handler = self  # type: ignore[attr-defined]
        try:
            handler.run(self.server.get_app())
        except ConnectionError:
            self.close_connection = True
        if handler.dropped:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the sandbox keeps its own log."""

    def address_string(self) -> str:
        """Return the peer's address without asking a name server."""
        return str(self.client_address[0])


class SandboxServer(ThreadedWSGIServer):
    """A listening sandbox. Its threads never keep the process alive."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox, host: str, port: int) -> None:
        super().__init__((host, port), SandboxRequestHandler, ipv6=":" in host)
        self.sandbox = sandbox
        self.set_app(sandbox)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the host's name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    @property
    def url(self) -> str:
        """Return where it listens, without a slash at the end."""
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}"


def serve(sandbox: Sandbox, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError if the port is taken."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    with SandboxServer(sandbox, host, port) as server:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        server.serve_forever(poll_interval=0.5)


@contextmanager
def serving(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread of this process, on any free port, and give the address."""
    with SandboxServer(sandbox, host, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()
