"""What a partner must offer (partner.py), in which values (values.py), and what it passes on its way out (door.py).

A partner is plain Python: values in, values or a PartnerError (errors.py) out. It knows no model, keeps no state and
never waits by itself: pace, retries, storage and whom to tell are the business of its caller. Right before each of its
requests leaves, it asks the `door`.
"""

from integrations.contract.door import Door, Errand, Keeper, door
from integrations.contract.partner import AudiencePartner
from integrations.contract.playground import DELETE_AUDIENCE, OUTAGE, Fault, Playground
from integrations.contract.values import (
    AdAccountInfo,
    AudienceDraft,
    AudienceInfo,
    Link,
    LookalikeDraft,
    LookalikeOffer,
    OperationName,
    PartnerUser,
    Quota,
    Receipt,
    Tokens,
)

__all__ = [
    "DELETE_AUDIENCE",
    "OUTAGE",
    "AdAccountInfo",
    "AudienceDraft",
    "AudienceInfo",
    "AudiencePartner",
    "Door",
    "Errand",
    "Fault",
    "Keeper",
    "Link",
    "LookalikeDraft",
    "LookalikeOffer",
    "OperationName",
    "PartnerUser",
    "Playground",
    "Quota",
    "Receipt",
    "Tokens",
    "door",
]
