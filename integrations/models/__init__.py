from integrations.models.audience import Audience, Lane, Recreation
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
    SyncMinute,
    SyncReason,
    SyncTotals,
)
from integrations.models.worker import Heartbeat, Seat, Tick

__all__ = [
    "AdAccount",
    "AppPace",
    "AppRead",
    "Arrival",
    "Attempt",
    "Audience",
    "AudienceSync",
    "Authorization",
    "Batch",
    "Connection",
    "Correction",
    "Delivery",
    "Heartbeat",
    "Lane",
    "Operation",
    "Pace",
    "Recreation",
    "Seat",
    "SyncMinute",
    "SyncReason",
    "SyncTotals",
    "TermsAcceptance",
    "Tick",
]
