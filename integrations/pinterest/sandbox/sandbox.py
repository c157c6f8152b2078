"""The sandbox as one object: a WSGI application with a memory, usable with a socket or without one."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from django.http import HttpResponse
from django.urls import Resolver404, resolve

from . import facts
from .audiences import Happening
from .clock import Clock
from .errors import Refusal, not_found
from .faults import Faults
from .gate import View, answer_api
from .journal import Journal, JournalDamaged, Line, Room
from .limits import Limits, Windows
from .people import AdAccount, PinterestUser
from .request import Arrival, SandboxRequest
from .requestlog import LoggedRequest, RequestLog
from .tokens import Tokens
from .world import World

API = "/v5/"
StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclass(frozen=True, slots=True)
class App:
    """The one app that may talk to the sandbox, and where its people may be sent back to."""

    id: str = facts.APP_ID
    secret: str = facts.APP_SECRET
    only_loopback: bool = True


class Sandbox:
    """A Pinterest to try things on.

    Without a world it starts as at the first start, by the given clock, and keeps nothing. `Sandbox.opened` keeps
    everything in a file.
    Several may live in one process: nothing is shared between them.
    """

    def __init__(
        self,
        world: World | None = None,
        limits: Limits | None = None,
        *,
        app: App | None = None,
        strict_rotation: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if world is None:
            world = World(clock=clock)
            world.begin(at=world.clock.now())
        self.world = world
        self.clock: Clock = world.clock
        self.limits = limits or Limits()
        self.app = app or App()
        self.tokens = Tokens(world.journal, strict=strict_rotation)
        self.faults = Faults(world.journal, world.clock)
        self.windows = Windows(self.limits, world.journal)
        self.log = RequestLog()

    @classmethod
    def opened(cls, path: Path, limits: Limits | None = None, **options: Any) -> "Sandbox":
        """Return the sandbox whose memory is in a file, as it was when its last process ended, however it ended.

        Raises JournalInUse or JournalDamaged.
        """

        def shorter(lines: Iterator[Line]) -> Iterator[Line]:
            twin = cls(World(None, Clock()), limits, **options)
            twin.replay(lines, path)
            return twin.dump()

        journal = Journal(path)
        sandbox = cls(World(journal, Clock()), limits, **options)
        if sandbox.replay(journal.lines(), path):
            journal.rewrite(sandbox.dump())
        else:
            journal.rewrite(())  # the first line may have been torn
            sandbox.world.begin(at=sandbox.clock.now())
        journal.shorter = shorter
        return sandbox

    @property
    def _rooms(self) -> tuple[Room, ...]:
        return self.world, self.tokens, self.faults, self.windows

    def replay(self, lines: Iterable[Line], path: Path) -> int:
        """Do again what the lines of a journal say; return how many there were. Raises JournalDamaged."""
        rooms = {room.name: room for room in self._rooms}
        number = 0
        for number, line in enumerate(lines, start=1):
            try:
                rooms[line["room"]].replay(line)
            except (KeyError, AttributeError, TypeError):
                raise JournalDamaged(f"Line {number} of {path} is of another version of the sandbox.") from None
        self.windows.tidy(self.clock.monotonic(), self.clock.now())
        return number

    def dump(self) -> Iterator[Line]:
        """Return lines from which all of it can be made again."""
        return (line for room in self._rooms for line in room.dump())

    def reset(self) -> None:
        """Make everything as at the first start: world, tokens, faults, limits, log and clock."""
        with self.world.lock:
            if self.world.journal:
                self.world.journal.rewrite(())
            self.clock.jumped_hours = 0.0
            self.world.begin(at=self.clock.now())  # first, so that a crash in here leaves a whole world
            self.tokens.empty()
            self.faults.become(faults=[])
            self.windows.clear()
            self.log.requests.clear()

    def roles(self, person: PinterestUser, ad_account: AdAccount) -> tuple[str, ...]:
        """Return what a person may do in an ad account; nothing while a fault keeps them out."""
        for fault in self.faults.active("remove_ad_account_access"):
            kept_out = fault.parameters["pinterest_user"] in (None, person.id)
            if kept_out and fault.parameters["ad_account_id"] == ad_account.id:
                return ()
        return ad_account.roles.get(person.id, ())

    def respond(self, request: SandboxRequest) -> HttpResponse:
        """Answer a request."""
        is_api = request.path.startswith(API)
        try:
            match = resolve(request.path, urlconf=f"{__package__}.urls")
            view: View = match.func
        except Resolver404:
            if is_api:
                return answer_api(request, _unknown_path, {})
            return HttpResponse("There is no such page in the sandbox.", status=404, content_type="text/plain")
        if is_api:
            return answer_api(request, view, match.kwargs)
        try:
            return view(request, **match.kwargs)
        except Refusal as refusal:
            return refusal.response()

    def log_request(self, request: SandboxRequest, status: int) -> None:
        """Keep a line about an answered request; a refused change also stands in the list's history."""
        entry = request.log
        entry.status = status
        entry.duration_ms = round((self.clock.monotonic() - request.arrival.monotonic) * 1000, 2)
        self.log.requests.append(entry)
        changed = self.world.customer_lists.get(entry.customer_list_id or "")
        if changed and entry.operation and status >= 400:
            changed.history.append(Happening(self.clock.now(), entry.operation, entry.records or 0, status))

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Speak WSGI. The server may say in `sandbox.arrival` when the request came in."""
        request = SandboxRequest(environ)
        request.sandbox = self
        request.arrival = environ.get("sandbox.arrival") or Arrival(self.clock.time(), self.clock.monotonic())
        request.log = LoggedRequest(request.arrival.time, request.method or "", request.path)
        response = self.respond(request)
        response["Content-Length"] = str(len(response.content))
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]

    def answer(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | str = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer a request without a socket: (status, headers, body).

        Raises AnswerDropped where a socket would be closed.
        """
        content = body.encode() if isinstance(body, str) else body
        parts = urlsplit(url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method.upper(),
            "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
            "QUERY_STRING": parts.query,
            "SERVER_NAME": parts.hostname or "127.0.0.1",
            "SERVER_PORT": str(parts.port or 80),
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.url_scheme": parts.scheme or "http",
            "wsgi.input": io.BytesIO(content),
        }
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        answered: list[tuple[int, dict[str, str]]] = []

        def start_response(status: str, items: list[tuple[str, str]]) -> None:
            answered.append((int(status.split()[0]), dict(items)))

        answer = b"".join(self(environ, start_response))
        return *answered[0], answer


def _unknown_path(request: SandboxRequest) -> HttpResponse:
    raise not_found("The requested path")
