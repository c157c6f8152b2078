"""The sandbox behind a socket: HTTP/1.1 with connections that stay open, a thread for each."""

import gc
import io
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.servers.basehttp import ServerHandler, ThreadedWSGIServer, WSGIRequestHandler

from .errors import AnswerDropped
from .request import Arrival
from .sandbox import Sandbox

IDLE_SECONDS = 75  # an idle connection is closed after this

# Linux notes when a packet came (socket(7)); Python's socket module has no name for it.
SO_TIMESTAMPNS = 35
TIMESTAMP = struct.Struct("@ll")  # seconds since 1970 and nanoseconds
OLDEST = 60.0  # seconds: what is said to have come before that was not read at once, or a clock was set


class Stamped(io.RawIOBase):
    """What comes in over a connection, and how long ago the last of it came.

    A busy machine lets a packet lie for a tenth of a second until a thread has read it, and the limits are about when
    requests arrive.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.age = 0.0  # seconds, when it was read; 0 where the system does not say

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read, told, _flags, _address = self.connection.recvmsg_into([buffer], socket.CMSG_SPACE(TIMESTAMP.size))
        self.age = 0.0
        for level, kind, value in told:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(value) == TIMESTAMP.size:
                seconds, nanoseconds = TIMESTAMP.unpack(value)
                age = time.time() - seconds - nanoseconds / 1e9
                self.age = age if 0 <= age < OLDEST else 0.0
        return read


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
    """Read requests from one connection. Notes when the first line arrived."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for an answer, not one for each header
    timeout = IDLE_SECONDS
    server: "SandboxServer"

    def setup(self) -> None:
        super().setup()
        self.stamped = Stamped(self.connection)  # type: ignore[arg-type]
        self.rfile = io.BufferedReader(self.stamped)  # type: ignore[assignment]

    def handle_one_request(self) -> None:
        try:
            self.raw_requestline = self.rfile.readline(65537)
        except (TimeoutError, ConnectionError):
            self.raw_requestline = b""
        clock = self.server.sandbox.clock
        age = self.stamped.age if self.server.alone else 0.0  # the time of tests is not the system's
        arrival = Arrival(clock.time() - age, clock.monotonic() - age)
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
        if self.command == "POST":
            self.server.keep_what_there_is()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the sandbox keeps its own log."""

    def address_string(self) -> str:
        """Return the peer's address without asking a name server."""
        return str(self.client_address[0])


class SandboxServer(ThreadedWSGIServer):
    """A listening sandbox. Its threads never keep the process alive."""

    daemon_threads = True
    request_queue_size = 128
    alone = False  # in its process

    def __init__(self, sandbox: Sandbox, host: str, port: int) -> None:
        super().__init__((host, port), SandboxRequestHandler, ipv6=":" in host)
        self.sandbox = sandbox
        self.set_app(sandbox)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the host's name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # every connection inherits it: a request may come before it is accepted
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def keep_what_there_is(self) -> None:
        """Look for garbage in what is made from now on only, where the process is ours.

        A list is made small and then holds a million records: to walk through them would take a tenth of a second, in
        which nobody is answered.
        """
        if self.alone:
            gc.freeze()

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
        server.alone = True
        server.keep_what_there_is()
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
