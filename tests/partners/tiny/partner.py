"""A whole second partner: this file, one line in the settings, one template folder. It keeps everything in memory."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import urlencode

from integrations.contract import (
    AdAccountInfo,
    AudienceDraft,
    AudienceInfo,
    AudiencePartner,
    Link,
    OperationName,
    PartnerUser,
    Receipt,
    Tokens,
    door,
)
from integrations.errors import AudienceGone, ConsentFailed, ContentRefused, NeedsReconnect


@dataclass
class Memory:
    """What Tiny knows: living tokens, and the members of its audiences by id."""

    tokens: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    requests: list[int] = field(default_factory=list)  # records in each
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class Tiny(AudiencePartner):
    slug = "tiny"
    name = "Tiny Ads"
    tagline = "A very small ad network."
    terms = (Link("Tiny terms", "https://tiny.example/terms"),)
    requirements = ("A Tiny account",)
    scopes = frozenset({"everything"})
    match_fields = ("email",)

    users_per_request = 10
    records_per_request = 3
    seconds_between_writes = 0.0
    longest_name = 20
    smallest_reported_size = 1
    refresh_before = timedelta(minutes=5)

    def __init__(self) -> None:
        self.memory = Memory()

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        return f"https://tiny.example/consent?{urlencode({'back': redirect_uri, 'state': state})}"

    def exchange(self, *, code: str, redirect_uri: str) -> Tokens:
        if code != "yes":
            raise ConsentFailed
        return self._tokens()

    def refresh(self, refresh_token: str) -> Tokens:
        if refresh_token not in self.memory.tokens:
            raise NeedsReconnect
        return self._tokens()

    def revoke(self, tokens: Iterable[str]) -> None:
        self.memory.tokens.difference_update(tokens)

    def me(self, access_token: str) -> PartnerUser:
        self._check(access_token)
        return PartnerUser(id="7", name="Tim")

    def ad_accounts(self, access_token: str) -> Iterator[AdAccountInfo]:
        self._check(access_token)
        yield AdAccountInfo("a1", "Tim’s account", "IS", "ISK", ("boss",), may_write=True)

    def audiences(self, access_token: str, ad_account_id: str) -> Iterator[AudienceInfo]:
        self._check(access_token)
        for id in sorted(self.memory.names, reverse=True):
            yield self.audience(access_token, ad_account_id, id)

    def audience(self, access_token: str, ad_account_id: str, audience_id: str) -> AudienceInfo:
        self._check(access_token)
        if audience_id not in self.memory.names:
            raise AudienceGone
        size = len(self.memory.members[audience_id])
        return AudienceInfo(audience_id, audience_id, self.memory.names[audience_id], "OPEN", size)

    def create_audience(self, access_token: str, ad_account_id: str, draft: AudienceDraft) -> AudienceDraft:
        self._check(access_token)
        door.leave(self.slug, "write")
        id = f"t{next(self.memory.numbers)}"
        self.memory.names[id], self.memory.members[id] = draft.name, set()
        return replace(draft, id=id, target_id=id)

    def find_draft(self, access_token: str, ad_account_id: str, draft: AudienceDraft) -> AudienceDraft:
        self._check(access_token)
        ids = [id for id, name in self.memory.names.items() if name == draft.name]
        return replace(draft, id=ids[0], target_id=ids[0]) if ids else draft

    def send(
        self, access_token: str, ad_account_id: str, target_id: str, operation: OperationName, records: list[str]
    ) -> Receipt:
        self._check(access_token)
        if target_id not in self.memory.members:
            raise AudienceGone
        if len(records) > self.records_per_request:
            raise ContentRefused
        door.leave(self.slug, "write")
        self.memory.requests.append(len(records))
        members = self.memory.members[target_id]
        members.update(records) if operation == "add" else members.difference_update(records)
        return Receipt(http_status=200)

    def _tokens(self) -> Tokens:
        number = next(self.memory.numbers)
        access, refresh = f"access-{number}", f"refresh-{number}"
        self.memory.tokens |= {access, refresh}
        return Tokens(access, refresh, timedelta(hours=1), None, self.scopes)

    def _check(self, access_token: str) -> None:
        if access_token not in self.memory.tokens:
            raise NeedsReconnect
