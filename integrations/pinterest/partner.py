"""Pinterest, as integrations/contract/ asks for it. A customer list stands behind every audience: its target."""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext_lazy

from integrations import errors
from integrations.contract import (
    AdAccountInfo,
    AudienceDraft,
    AudienceInfo,
    AudiencePartner,
    Link,
    LookalikeDraft,
    LookalikeOffer,
    OperationName,
    PartnerUser,
    Playground,
    Quota,
    Receipt,
    Tokens,
)
from integrations.pinterest import limits, oauth
from integrations.pinterest.answers import About, Came, meaning
from integrations.pinterest.client import SLUG, Bearer, call, pages
from integrations.pinterest.playground import PinterestSandbox

OPERATIONS: dict[OperationName, str] = {"add": "ADD", "remove": "REMOVE"}
NEWEST_FIRST = {"order": "DESCENDING"}
CLOCKS_DIFFER_BY = timedelta(minutes=5)  # a trace of a draft may seem this much older than the draft

_ID = re.compile(rf"[0-9]{{1,{limits.LONGEST_ID}}}")
_DIGEST_LENGTHS = {64, 40, 32}
_DIGEST_BYTES = b"0123456789abcdef"


class Pinterest(AudiencePartner):
    slug = SLUG
    name = "Pinterest"
    tagline = gettext_lazy("Add users to Pinterest audiences as they move through a Canvas, and take them out again.")
    terms = (
        Link(
            gettext_lazy("Pinterest Business Terms of Service"),
            "https://business.pinterest.com/business-terms-of-service/",
        ),
        Link(gettext_lazy("Pinterest Advertising Guidelines"), "https://policy.pinterest.com/advertising-guidelines"),
        Link(gettext_lazy("Pinterest Ad Data Terms"), "https://policy.pinterest.com/ad-data-terms"),
    )
    requirements = (
        gettext_lazy("A Pinterest Business Hub"),
        gettext_lazy("An ad account in it on which you have admin rights"),
        gettext_lazy("Pinterest’s terms accepted, for Pinsync below and for the ad account in Pinterest Ads Manager"),
    )
    scopes = limits.SCOPES

    users_per_request = limits.USERS_PER_REQUEST
    records_per_request = limits.RECORDS_PER_REQUEST
    seconds_between_writes = limits.SECONDS_BETWEEN_WRITES
    seconds_between_reads = limits.SECONDS_BETWEEN_READS
    longest_name = limits.LONGEST_NAME
    smallest_reported_size = limits.SMALLEST_REPORTED_SIZE
    placeholders = 1  # create_audience, below
    refresh_before = limits.REFRESH_BEFORE
    lookalikes = LookalikeOffer(limits.ACTALIKE, limits.ACTALIKE_COUNTRIES, limits.ACTALIKE_PERCENTS)

    @property
    def quota(self) -> Quota | None:
        """Return the limit of an app with trial access."""
        if settings.PINTEREST_ACCESS != "trial":
            return None
        calls, seconds = settings.PINTEREST_TRIAL_LIMIT
        return Quota(name=limits.TRIAL, calls=calls, seconds=seconds)

    # -- consent and tokens

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        return oauth.consent_url(redirect_uri=redirect_uri, state=state)

    def exchange(self, *, code: str, redirect_uri: str) -> Tokens:
        return oauth.exchange(code=code, redirect_uri=redirect_uri)

    def refresh(self, refresh_token: str) -> Tokens:
        return oauth.refresh(refresh_token)

    def revoke(self, tokens: Iterable[str]) -> None:
        """Try every token, then raise the first PartnerError that came."""
        problems = []
        for token in filter(None, tokens):
            try:
                oauth.revoke(token, "refresh_token" if token.startswith("pinr") else "access_token")
            except errors.PartnerError as problem:
                problems.append(problem)
        if problems:
            raise problems[0]

    # -- reading

    def me(self, access_token: str) -> PartnerUser:
        _, body = call("GET", "/user_account", About.PERSON, Bearer(access_token))
        return PartnerUser(id=_text(body, "id"), name=str(body.get("username") or body.get("business_name") or ""))

    def ad_accounts(self, access_token: str) -> Iterator[AdAccountInfo]:
        for item in pages("/ad_accounts", About.PERSON, Bearer(access_token)):
            listed = item.get("permissions")
            roles = tuple(str(role) for role in listed) if isinstance(listed, list) else ()
            yield AdAccountInfo(
                id=_text(item, "id"),
                name=str(item.get("name") or ""),
                country=str(item.get("country") or ""),
                currency=str(item.get("currency") or ""),
                roles=roles,
                # not listed at all (the description does not promise it): Pinterest decides when we write
                may_write=not isinstance(listed, list) or not limits.ROLES_THAT_WRITE.isdisjoint(roles),
            )

    def audiences(self, access_token: str, ad_account_id: str) -> Iterator[AudienceInfo]:
        path = f"/ad_accounts/{_id(ad_account_id)}/audiences"
        for item in pages(path, About.AD_ACCOUNT, Bearer(access_token), NEWEST_FIRST):
            if _customer_list_id(item) or item.get("audience_type") == "ACTALIKE":
                yield _audience(item)

    def audience(self, access_token: str, ad_account_id: str, audience_id: str) -> AudienceInfo:
        path = f"/ad_accounts/{_id(ad_account_id)}/audiences/{_id(audience_id)}"
        _, body = call("GET", path, About.AUDIENCE, Bearer(access_token))
        if not _customer_list_id(body):
            raise errors.Unavailable("An audience has no customer list")
        return _audience(body)

    # -- writing

    def create_audience(self, access_token: str, ad_account_id: str, draft: AudienceDraft) -> AudienceDraft:
        """Create the customer list, or where there is one, the audience on it."""
        path = f"/ad_accounts/{_id(ad_account_id)}"
        if not draft.target_id:
            # Pinterest wants at least one record; this one is random and matches nobody.
            json = {"name": draft.name, "list_type": "EMAIL", "records": secrets.token_hex(32)}
            _, body = call("POST", f"{path}/customer_lists", About.AD_ACCOUNT, Bearer(access_token), json=json)
            return replace(draft, target_id=_checked_id(body))
        if not draft.id:
            asked: dict[str, Any] = {
                "ad_account_id": ad_account_id,
                "audience_type": "CUSTOMER_LIST",
                "name": draft.name,
                "rule": {"customer_list_id": _id(draft.target_id)},
            }
            if draft.description:
                asked["description"] = draft.description
            _, body = call("POST", f"{path}/audiences", About.AD_ACCOUNT, Bearer(access_token), json=asked)
            return replace(draft, id=_checked_id(body))
        return draft

    def find_draft(self, access_token: str, ad_account_id: str, draft: AudienceDraft) -> AudienceDraft:
        """Look among the customer lists, then among the audiences; newest first, none older than the draft."""
        path = f"/ad_accounts/{_id(ad_account_id)}"
        auth = Bearer(access_token)
        if not draft.target_id:
            lists = pages(f"{path}/customer_lists", About.AD_ACCOUNT, auth, NEWEST_FIRST)
            for item in takewhile(_not_before(draft.began_at, "created_time"), lists):
                if item.get("name") == draft.name:
                    draft = replace(draft, target_id=_checked_id(item))
                    break
            else:
                return draft
        if not draft.id:
            audiences = pages(f"{path}/audiences", About.AD_ACCOUNT, auth, NEWEST_FIRST)
            for item in takewhile(_not_before(draft.began_at, "created_timestamp"), audiences):
                if _customer_list_id(item) == draft.target_id:
                    return replace(draft, id=_checked_id(item))
        return draft

    def send(
        self, access_token: str, ad_account_id: str, target_id: str, operation: OperationName, records: list[str]
    ) -> Receipt:
        joined = ",".join(records)
        if not records or not _are_digests(records, joined):
            # Nothing but digests leaves the building, whatever a caller got wrong.
            raise errors.ContentRefused("A record that is no digest was held back")
        status, body = call(
            "PATCH",
            f"/ad_accounts/{_id(ad_account_id)}/customer_lists/{_id(target_id)}",
            About.RECORDS,
            Bearer(access_token),
            json={"operation_type": OPERATIONS[operation], "records": joined},
        )
        if body.get("exceptions") or str(body.get("id", target_id)) != target_id:
            kind = meaning(Came.ERROR_INSIDE, About.RECORDS, status=status)
            raise kind("A change was answered with exceptions or another list", http_status=status)
        return Receipt(http_status=status)

    # -- Actalikes

    def create_lookalike(self, access_token: str, ad_account_id: str, draft: LookalikeDraft) -> str:
        asked = {
            "ad_account_id": ad_account_id,
            "audience_type": "ACTALIKE",
            "name": draft.name,
            "rule": {"seed_id": [_id(draft.seed_id)], "country": draft.country, "percentage": draft.percent},
        }
        path = f"/ad_accounts/{_id(ad_account_id)}/audiences"
        _, body = call("POST", path, About.AD_ACCOUNT, Bearer(access_token), json=asked)
        return _checked_id(body)

    def find_lookalike(self, access_token: str, ad_account_id: str, draft: LookalikeDraft) -> str:
        """Look among the audiences, newest first, none older than the draft."""
        path = f"/ad_accounts/{_id(ad_account_id)}/audiences"
        audiences = pages(path, About.AD_ACCOUNT, Bearer(access_token), NEWEST_FIRST)
        for item in takewhile(_not_before(draft.began_at, "created_timestamp"), audiences):
            if item.get("name") == draft.name and _resembles(item, draft):
                return _checked_id(item)
        return ""

    # -- trying things out

    def playground(self) -> Playground | None:
        """Return the sandbox unless there is an app of one's own or an address of the real Pinterest."""
        hosts = [urlsplit(url).hostname or "" for url in (settings.PINTEREST_API_URL, settings.PINTEREST_OAUTH_URL)]
        is_real = settings.PINTEREST_APP_FROM_ENV or any(f".{host}".endswith(".pinterest.com") for host in hosts)
        return None if is_real else PinterestSandbox(settings.PINTEREST_SANDBOX_URL)


def _are_digests(records: list[str], joined: str) -> bool:
    """Return whether each is one; of thousands, without looking at each."""
    return (
        joined.isascii()
        and set(map(len, records)) <= _DIGEST_LENGTHS
        and joined.count(",") == len(records) - 1
        and not joined.encode().translate(None, _DIGEST_BYTES + b",")
    )


def _id(value: str) -> str:
    """Return an id that may stand in a path."""
    if not _ID.fullmatch(value):
        raise errors.InvalidSettings("An id is not one of Pinterest's")
    return value


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise errors.Unavailable(f"An answer lacks its {name}")
    return value


def _checked_id(item: Mapping[str, Any]) -> str:
    value = _text(item, "id")
    if not _ID.fullmatch(value):
        raise errors.Unavailable("An answer has an id that cannot be used")
    return value


def _customer_list_id(item: Mapping[str, Any]) -> str:
    """Return the customer list an audience stands on; empty for other types of audiences."""
    rule = item.get("rule")
    found = rule.get("customer_list_id") if isinstance(rule, dict) else None
    return found if item.get("audience_type") == "CUSTOMER_LIST" and isinstance(found, str) else ""


def _resembles(item: Mapping[str, Any], draft: LookalikeDraft) -> bool:
    """Pinterest's own examples give the percentage as a number and as a text."""
    rule = item.get("rule")
    return (
        item.get("audience_type") == "ACTALIKE"
        and isinstance(rule, dict)
        and rule.get("seed_id") == [draft.seed_id]
        and rule.get("country") == draft.country
        and str(rule.get("percentage")) == str(draft.percent)
    )


def _audience(item: Mapping[str, Any]) -> AudienceInfo:
    size = item.get("size")
    return AudienceInfo(
        id=_checked_id(item),
        target_id=_customer_list_id(item),
        name=str(item.get("name") or ""),
        status=str(item.get("status") or ""),
        size=size if isinstance(size, int) else None,
        description=str(item.get("description") or ""),
        created_at=_moment(item.get("created_timestamp")),
    )


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None  # not said, or not a moment


def _not_before(began_at: datetime | None, name: str) -> Callable[[Mapping[str, Any]], bool]:
    def is_new_enough(item: Mapping[str, Any]) -> bool:
        created = _moment(item.get(name))
        return began_at is None or created is None or created >= began_at - CLOCKS_DIFFER_BY

    return is_new_enough
