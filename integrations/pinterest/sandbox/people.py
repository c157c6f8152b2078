"""Pinterest users and the ad accounts they reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PinterestUser:
    """A person with a Pinterest business account."""

    id: str
    username: str
    business_name: str
    website_url: str

    def as_json(self) -> dict[str, Any]:
        """Return it as Pinterest's `Account`."""
        return {
            "id": self.id,
            "username": self.username,
            "account_type": "BUSINESS",
            "business_name": self.business_name,
            "website_url": self.website_url,
            "profile_image": f"{self.website_url}/logo.png",
            "about": f"{self.business_name} on Pinterest",
            "board_count": 12,
            "pin_count": 348,
            "follower_count": 1_904,
            "following_count": 61,
            "monthly_views": 48_210,
        }


@dataclass(frozen=True, slots=True)
class AdAccount:
    """An ad account, and who may do what in it."""

    id: str
    name: str
    country: str
    currency: str
    owner_id: str
    created: int
    roles: Mapping[str, tuple[str, ...]]  # by Pinterest user id

    def as_json(self, owner: PinterestUser, asking_id: str) -> dict[str, Any]:
        """Return it as Pinterest's `AdAccount`, with the permissions of the person who asks."""
        return {
            "id": self.id,
            "name": self.name,
            "country": self.country,
            "currency": self.currency,
            "owner": {"id": owner.id, "username": owner.username},
            "permissions": list(self.roles.get(asking_id, ())),
            "created_time": self.created,
            "updated_time": self.created,
        }


# Both people reach the shared ad accounts, so that "Change Account" can succeed; the last two refuse one of them.
MAPLE = PinterestUser("801000000000000001", "maple_and_moss", "Maple & Moss", "https://maple-and-moss.example")
NORTHWIND = PinterestUser("801000000000000002", "northwind_media", "Northwind Media", "https://northwind.example")
PINTEREST_USERS = (MAPLE, NORTHWIND)

OWNER, ADMIN, ANALYST, AUDIENCE_MANAGER = ("OWNER",), ("ADMIN",), ("ANALYST",), ("AUDIENCE_MANAGER",)
FIRST_DAY = 1_672_531_200  # 2023-01-01
AD_ACCOUNTS = tuple(
    AdAccount(str(549_755_813_101 + number), name, country, currency, owner.id, FIRST_DAY + number * 2_600_000, roles)
    for number, (name, country, currency, owner, roles) in enumerate(
        (
            ("Maple & Moss US", "US", "USD", MAPLE, {MAPLE.id: OWNER, NORTHWIND.id: ADMIN}),
            ("Maple & Moss Canada", "CA", "CAD", MAPLE, {MAPLE.id: OWNER, NORTHWIND.id: AUDIENCE_MANAGER}),
            ("Maple & Moss Catalogue", "US", "USD", MAPLE, {MAPLE.id: OWNER, NORTHWIND.id: ADMIN}),
            ("Fern & Fable", "GB", "GBP", NORTHWIND, {MAPLE.id: ADMIN, NORTHWIND.id: OWNER}),
            ("Kestrel Outdoor", "DE", "EUR", NORTHWIND, {MAPLE.id: ANALYST, NORTHWIND.id: OWNER}),
            ("Sunday Paper Studio", "KR", "KRW", NORTHWIND, {MAPLE.id: AUDIENCE_MANAGER, NORTHWIND.id: OWNER}),
            ("Maple & Moss Lab", "JP", "JPY", MAPLE, {MAPLE.id: OWNER}),
            ("Northwind Interiors", "AU", "AUD", NORTHWIND, {NORTHWIND.id: OWNER}),
        )
    )
)
BIG_AD_ACCOUNT_ID = AD_ACCOUNTS[2].id  # holds exactly 1,200 audiences


def more_people(number: int) -> list[tuple[PinterestUser, AdAccount]]:
    """Return people beyond those of the story, person_1 and so on, each with one ad account of their own."""
    found = []
    for n in range(1, number + 1):
        url = f"https://person-{n}.example"
        person = PinterestUser(str(801_000_000_000_001_000 + n), f"person_{n}", f"Person {n}", url)
        name, id = f"Account of person {n}", str(549_755_900_000 + n)
        found.append((person, AdAccount(id, name, "US", "USD", person.id, FIRST_DAY, {person.id: OWNER})))
    return found
