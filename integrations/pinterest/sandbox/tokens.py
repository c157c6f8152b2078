"""Authorization codes, access tokens and rotating refresh tokens. Only their SHA-256 is kept or written down."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .errors import invalid, unauthenticated
from .facts import (
    ACCESS_TOKEN_SECONDS,
    CODE_SECONDS,
    REFRESH_TOKEN_SECONDS,
    ROTATION_GRACE_SECONDS,
)
from .journal import Journal, Line, Room, journaled


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code: usable once, for ten minutes, with the address it was asked for."""

    user_id: str
    scopes: list[str]
    redirect_uri: str
    expires: float


@dataclass(slots=True)
class Grant:
    """What one person allowed once, and the tokens that came of it.

    `newest` is the latest access token; while nothing has used it or `refresh`, the answer that carried them may have
    been lost, and `previous` still refreshes until `previous_until`.
    """

    id: str
    user_id: str
    scopes: list[str]
    access: dict[str, float]  # digest -> when it expires
    newest: str
    refresh: str
    refresh_expires: float
    previous: str | None = None
    previous_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A new access token and refresh token, in clear: shown once, kept nowhere."""

    access: str
    refresh: str
    scopes: list[str]
    refresh_expires: float


class Tokens(Room):
    """Every code and grant. `strict` switches the grace for lost refresh answers off."""

    name = "tokens"

    def __init__(self, journal: Journal | None = None, *, strict: bool = False) -> None:
        super().__init__(journal)
        self.strict = strict
        self.codes: dict[str, Code] = {}
        self.grants: dict[str, Grant] = {}
        self.by_token: dict[str, Grant] = {}

    def new_code(self, user_id: str, scopes: list[str], redirect_uri: str, now: float) -> str:
        """Return a code that can be exchanged for tokens."""
        code = secrets.token_hex(20)
        expires = now + CODE_SECONDS
        self.put_code(code=digest(code), user_id=user_id, scopes=scopes, redirect_uri=redirect_uri, expires=expires)
        return code

    def redeem(self, code: str, redirect_uri: str, now: float) -> Pair:
        """Exchange a code for tokens. Raises Refusal if it was used, is too old or belongs to another address."""
        with self.lock:
            found = self.codes.get(digest(code))
            if not found or found.expires <= now or found.redirect_uri != redirect_uri:
                raise invalid("The authorization code is invalid, expired or used, or belongs to another redirect_uri.")
            self.drop_code(code=digest(code))
            return self.grant(found.user_id, found.scopes, now)

    def grant(self, user_id: str, scopes: list[str], now: float) -> Pair:
        """Return the first tokens of a new grant."""
        pair = _new_pair(scopes, now)
        access, refresh = digest(pair.access), digest(pair.refresh)
        self.put_grant(
            id=secrets.token_hex(8),
            user_id=user_id,
            scopes=scopes,
            access={access: now + ACCESS_TOKEN_SECONDS},
            newest=access,
            refresh=refresh,
            refresh_expires=pair.refresh_expires,
        )
        return pair

    def refresh(self, token: str, scopes: list[str] | None, now: float) -> Pair:
        """Replace a refresh token. Raises Refusal if it is dead; see `Grant` for the grace."""
        used = digest(token)
        with self.lock:
            grant = self.by_token.get(used)
            is_current = grant is not None and used == grant.refresh and grant.refresh_expires > now
            is_in_grace = grant is not None and used == grant.previous and grant.previous_until >= now
            if grant is None or not (is_current or is_in_grace):
                raise unauthenticated()
            if scopes is not None and not set(scopes) <= set(grant.scopes):
                raise invalid("scope holds more than was granted.")
            pair = _new_pair(scopes or grant.scopes, now)
            access = {token: expires for token, expires in grant.access.items() if expires > now}
            if is_in_grace:
                access.pop(grant.newest, None)
            grace_ends = now + ROTATION_GRACE_SECONDS if is_current else grant.previous_until
            self.put_grant(
                id=grant.id,
                user_id=grant.user_id,
                scopes=pair.scopes,
                access=access | {digest(pair.access): now + ACCESS_TOKEN_SECONDS},
                newest=digest(pair.access),
                refresh=digest(pair.refresh),
                refresh_expires=pair.refresh_expires,
                previous=None if self.strict else used,
                previous_until=grace_ends,
            )
            return pair

    def holder(self, access_token: str, now: float) -> Grant:
        """Return the grant behind an access token. Raises Refusal if it is unknown, expired or revoked."""
        used = digest(access_token)
        grant = self.by_token.get(used)
        if grant is None or grant.access.get(used, 0.0) <= now:
            raise unauthenticated()
        if grant.previous and used == grant.newest:
            self.confirm(id=grant.id)
        return grant

    def owner(self, access_token: str) -> str | None:
        """Return the id of the person whose token this is, even if it has expired; nothing if it is unknown."""
        grant = self.by_token.get(digest(access_token))
        return grant.user_id if grant else None

    def revoke(self, token: str) -> None:
        """Make a token unusable; a refresh token takes its whole grant with it. Unknown tokens are fine."""
        revoked = digest(token)
        grant = self.by_token.get(revoked)
        if grant and revoked in grant.access:
            self.drop_access(access=revoked)
        elif grant:
            self.drop_grants(ids=[grant.id])

    def revoke_user(self, user_id: str | None) -> int:
        """Make every token of one person, or of everybody, unusable. Return how many grants that were."""
        ids = [grant.id for grant in list(self.grants.values()) if user_id in (None, grant.user_id)]
        self.drop_grants(ids=ids)
        return len(ids)

    @journaled
    def put_code(self, /, *, code: str, **fields: Any) -> None:
        """Keep a code."""
        self.codes[code] = Code(**fields)

    @journaled
    def drop_code(self, *, code: str) -> None:
        """Forget a code."""
        self.codes.pop(code, None)

    @journaled
    def put_grant(self, /, **fields: Any) -> None:
        """Keep a grant, or replace the one with its id."""
        self._forget(fields["id"])
        grant = Grant(**fields)
        self.grants[grant.id] = grant
        tokens = [*grant.access, grant.refresh] + ([grant.previous] if grant.previous else [])
        self.by_token.update(dict.fromkeys(tokens, grant))

    @journaled
    def confirm(self, *, id: str) -> None:
        """Note that the newest tokens have arrived: the refresh token before them is dead."""
        grant = self.grants.get(id)
        if grant and grant.previous:
            self.by_token.pop(grant.previous, None)
            grant.previous = None

    @journaled
    def drop_access(self, *, access: str) -> None:
        """Forget one access token."""
        grant = self.by_token.pop(access, None)
        if grant:
            grant.access.pop(access, None)

    @journaled
    def drop_grants(self, *, ids: list[str]) -> None:
        """Forget grants with all their tokens."""
        for id in ids:
            self._forget(id)

    @journaled
    def empty(self) -> None:
        """Forget everything."""
        self.codes, self.grants, self.by_token = {}, {}, {}

    def dump(self) -> Iterator[Line]:
        """Return a line for every code and grant."""
        for code, value in self.codes.items():
            yield {"room": self.name, "do": "put_code", "code": code, **asdict(value)}
        for grant in self.grants.values():
            yield {"room": self.name, "do": "put_grant", **asdict(grant)}

    def _forget(self, id: str) -> None:
        grant = self.grants.pop(id, None)
        if grant:
            for token in (*grant.access, grant.refresh, grant.previous or ""):
                self.by_token.pop(token, None)


def _new_pair(scopes: list[str], now: float) -> Pair:
    access, refresh = f"pina_{secrets.token_urlsafe(40)}", f"pinr_{secrets.token_urlsafe(40)}"
    return Pair(access, refresh, sorted(scopes), now + REFRESH_TOKEN_SECONDS)
