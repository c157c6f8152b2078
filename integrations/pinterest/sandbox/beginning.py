"""The world as it is at the start: the same names, ids and sizes at every reset."""

import random
from collections.abc import Iterator

from .audiences import Audience, CustomerList, Happening
from .facts import DAY, HOUR
from .people import AD_ACCOUNTS, BIG_AD_ACCOUNT_ID, AdAccount

FIRST_LIST_ID = 643_000_000_000
FIRST_AUDIENCE_ID = 2_542_620_600_000
BIG_AD_ACCOUNT_AUDIENCES = 1_200
OTHER_AD_ACCOUNT_AUDIENCES = 9
SEED = 20_261_101

WHO = (
    "Newsletter subscribers", "Loyalty gold", "Lapsed 90 days", "Lapsed 180 days", "Winter buyers", "Spring buyers",
    "First-time buyers", "High basket value", "Wishlist savers", "Gift card holders", "Store visitors",
    "App installers", "Trial started", "Trial ended", "Birthday this month", "Returned an order", "Wedding planners",
    "New parents", "Home renovators", "Garden lovers", "Quilt makers", "Pet owners", "Student discount",
    "VIP suppression", "Do not target", "Clientes fieles", "Acheteurs d’été", "겨울 구매자", "Bags < $50 & “deals”",
)  # fmt: skip
WHERE = ("US", "CA", "GB", "DE", "FR", "KR", "AU", "West Coast", "online", "outlet", "all stores")
SITES = ("catalogue", "blog", "checkout", "gift guide", "lookbook", "sale")
TYPES = ("CUSTOMER_LIST", "CUSTOMER_LIST", "VISITOR", "CUSTOMER_LIST", "ENGAGEMENT", "ACTALIKE")
DESCRIPTIONS = (None, None, "Weekly upload from the data warehouse", "Agency upload", "Seed for look-alikes")


def starting_world(at: float) -> Iterator[tuple[Audience, CustomerList | None]]:
    """Return every audience of the start with its customer list, if it has one; oldest first."""
    chance = random.Random(SEED)
    today = at - at % DAY
    number = 0
    for ad_account in AD_ACCOUNTS:
        many = BIG_AD_ACCOUNT_AUDIENCES if ad_account.id == BIG_AD_ACCOUNT_ID else OTHER_AD_ACCOUNT_AUDIENCES
        earlier: list[str] = []
        for place in range(many):
            age = (many - place) * 900 * DAY / (many + 1) + 2 * DAY
            created = today - int(age) if place < many - 1 else at - 3 * HOUR  # the last one is still being matched
            number += 1
            audience, customer_list = _audience(ad_account, number, place, created, earlier, chance)
            earlier.append(audience.id)
            yield audience, customer_list


def _audience(
    ad_account: AdAccount, number: int, place: int, created: float, earlier: list[str], chance: random.Random
) -> tuple[Audience, CustomerList | None]:
    audience = Audience(
        id=str(FIRST_AUDIENCE_ID + number * 7),
        ad_account_id=ad_account.id,
        name="",
        audience_type=TYPES[place % 6],
        rule={},
        created=created,
        updated=created,
        description=chance.choice(DESCRIPTIONS),
        company=ad_account.name,
        modelled_size=int(chance.lognormvariate(10, 1.6)),
    )
    who = f"{chance.choice(WHO)} – {chance.choice(WHERE)} {2024 + place % 3}"
    site = f"{chance.choice(SITES)} {chance.choice((7, 14, 30, 60, 90, 180))} days"
    if audience.audience_type == "VISITOR":
        audience.name = f"Visitors of the {site} ({number})"
        audience.rule = {
            "visitor_source_id": str(2_620_000_000_000 + int(ad_account.id) % 100),
            "retention_days": 180,
            "event_source": {"=": ["web", "mobile"]},
            "ingestion_source": {"=": ["tag"]},
        }
    elif audience.audience_type == "ENGAGEMENT":
        audience.name = f"Engaged with {site} ({number})"
        audience.rule = {"engagement_domain": ["maple-and-moss.example"], "engager_type": 1}
    elif audience.audience_type == "ACTALIKE":
        percentage = 1 + place % 10
        audience.name = f"Actalike {percentage} % of {who} ({number})"
        country = ad_account.country
        audience.rule = {"seed_id": [chance.choice(earlier)], "country": country, "percentage": percentage}
        audience.modelled_size = percentage * 410_000
    else:
        audience.name = f"{who} ({number})"
        return audience, _customer_list(audience, number, chance)
    return audience, None


def _customer_list(audience: Audience, number: int, chance: random.Random) -> CustomerList:
    records = min(int(chance.lognormvariate(8, 1.5)), 60_000) if number % 9 else chance.randrange(1, 100)
    customer_list = CustomerList(
        id=str(FIRST_LIST_ID + number * 3),
        ad_account_id=audience.ad_account_id,
        name=audience.name,
        created=audience.created,
        updated=audience.created,
        starting_records=records,
        uploaded=records,
    )
    customer_list.sizes.append((audience.created, records))
    customer_list.history.append(Happening(audience.created, "CREATE", records, 200))
    audience.rule = {"customer_list_id": customer_list.id}
    return customer_list
