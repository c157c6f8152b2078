"""What the sandbox holds to be true of Pinterest: limits, lifetimes, scopes and roles.

Source: Pinterest's OpenAPI description v5.23 and Pinterest's public developer pages, read 2026-11.
Where they are silent the sandbox chooses; each choice is marked so.
"""

HOUR = 3_600  # seconds
DAY = 24 * HOUR

RECORDS_PER_REQUEST = 1_900
WRITES_PER_SECOND = 7  # ads_write calls of one Pinterest user, over all its tokens
WRITES_PER_MINUTE = 400
READS_PER_MINUTE = 1_000  # ads_read; the sandbox takes the same for every other category
TRIAL_CALLS = 1_000  # of an app with trial access, all people and categories together, in:
TRIAL_SECONDS = DAY

ACCESS_TOKEN_SECONDS = 30 * DAY
REFRESH_TOKEN_SECONDS = 60 * DAY
CODE_SECONDS = 600
# The sandbox's choice: how long a replaced refresh token still works while nothing has used what replaced it.
# Without this a client whose answer got lost could never refresh again.
ROTATION_GRACE_SECONDS = 600

SIZE_DELAY_SECONDS = DAY  # a size shows what was in the list this long ago
SMALLEST_SHOWN_SIZE = 100

PAGE_SIZE = 25
LARGEST_PAGE = 250
LONGEST_ID = 18  # digits

USED_SCOPES = ("user_accounts:read", "ads:read", "ads:write")
SCOPES = frozenset(USED_SCOPES) | {
    "billing:read",
    "billing:write",
    "biz_access:read",
    "biz_access:write",
    "boards:read",
    "boards:read_secret",
    "boards:write",
    "boards:write_secret",
    "catalogs:read",
    "catalogs:write",
    "msot:write",
    "pins:read",
    "pins:read_secret",
    "pins:write",
    "pins:write_secret",
    "user_accounts:write",
}

WRITING_ROLES = frozenset({"OWNER", "ADMIN", "AUDIENCE_MANAGER"})
LIST_TYPES = frozenset({"EMAIL", "IDFA", "MAID", "LR_ID", "DLX_ID", "HASHED_PINNER_ID"})
AUDIENCE_TYPES = frozenset({"CUSTOMER_LIST", "VISITOR", "ENGAGEMENT", "ACTALIKE", "PERSONA"})

# The app that may talk to the sandbox unless the command line names another one.
APP_ID = "1000001"
APP_SECRET = "sandbox-secret"  # noqa: S105 (public on purpose: it opens a sandbox)
