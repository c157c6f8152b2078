"""The facts of Pinterest that Pinsync keeps to, with unit, source and date."""

from datetime import timedelta

# Source: Pinterest API rate limits, category ads_write, counted per Pinterest user and app; read 2026-11
WRITES_PER_SECOND = 7
WRITES_PER_MINUTE = 400
SECONDS_BETWEEN_WRITES = 0.150  # between the starts of two requests: never more than 7 a second, 400 a minute

# Source: Pinterest API rate limits, category ads_read, counted per Pinterest user and app; read 2026-11
READS_PER_MINUTE = 1_000
SECONDS_BETWEEN_READS = 0.065  # 60 s / 1,000, and room for starts that are late

# Source: Pinterest API rate limits, universal limit of apps with trial access: 1,000 requests a day for the whole app,
# of whatever category; read 2026-11. The figures are in the settings (PINTEREST_TRIAL_LIMIT).
TRIAL = "Trial access"

# Source: Pinterest, customer list requirements, and the partner guidelines for audience syncs; read 2026-11.
# Pinterest sees records, not users, so the strict reading holds for both.
USERS_PER_REQUEST = 1_900
RECORDS_PER_REQUEST = 1_900

# Source: OpenAPI description v5.23
PAGE_SIZE = 250  # the largest; the default is 25
LONGEST_ID = 18  # digits, of every id in a path
LONGEST_NAME = 256  # characters; stated for ad accounts, held for audiences too
SMALLEST_REPORTED_SIZE = 100  # matched users; a smaller audience is TOO_SMALL and its size hidden

# Source: OpenAPI description v5.23, AudienceRule, and Pinterest's name for audiences that resemble another one
ACTALIKE = "Actalike"
ACTALIKE_COUNTRIES = ("US", "CA", "GB")  # those it names; others are refused or not by Pinterest itself
ACTALIKE_PERCENTS = range(1, 11)

# Source: Pinterest, set up authentication and authorization (continuous refresh tokens); read 2026-11
ACCESS_TOKEN_LIFETIME = timedelta(days=30)
REFRESH_BEFORE = ACCESS_TOKEN_LIFETIME / 3

SCOPES = frozenset({"user_accounts:read", "ads:read", "ads:write"})
# Source: Pinterest Business Help, roles on an ad account; read 2026-11
ROLES_THAT_WRITE = frozenset({"OWNER", "ADMIN", "AUDIENCE_MANAGER"})

# Ours, not Pinterest's: how long we wait for an answer.
CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 30
