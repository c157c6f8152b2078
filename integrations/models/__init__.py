from integrations.models.audience import Audience, AudienceSize, Lane, Recreation
from integrations.models.connection import (
    AdAccount,
    AppPace,
    AppRead,
    Authorization,
    Connection,
    Pace,
    TermsAcceptance,
)
from integrations.models.delivery import (
    Arrival,
    Attempt,
    AudienceSync,
    Batch,
    Correction,
    Delivery,
    Operation,
)
from integrations.models.figures import SyncHour, SyncMinute, SyncReason, SyncTotals
from integrations.models.lookalike import Lookalike
from integrations.models.retrying import Retrying
from integrations.models.worker import Heartbeat, Seat, Tick

__all__ = [
    "AdAccount",
    "AppPace",
    "AppRead",
    "Arrival",
    "Attempt",
    "Audience",
    "AudienceSize",
    "AudienceSync",
    "Authorization",
    "Batch",
    "Connection",
    "Correction",
    "Delivery",
    "Heartbeat",
    "Lane",
    "Lookalike",
    "Operation",
    "Pace",
    "Recreation",
    "Retrying",
    "Seat",
    "SyncHour",
    "SyncMinute",
    "SyncReason",
    "SyncTotals",
    "TermsAcceptance",
    "Tick",
]
