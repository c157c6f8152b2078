"""To a playground's consent page and back, as a person goes who says yes."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from integrations import consenting
from integrations.contract import Playground
from integrations.models import Authorization
from pinsync.workspaces.models import User, Workspace


def consent(
    workspace: Workspace,
    user: User,
    slug: str,
    ground: Playground,
    clock: Callable[[], datetime],
    *,
    purpose: str = Authorization.Purpose.CONNECT,
    person: str = "",
) -> Authorization:
    """Return what consent gave; `person` is the partner's id of who says yes. Raises PartnerError or ConsentProblem."""
    consent_url = consenting.begin(workspace, user, slug, purpose, clock())
    back = {name: values[0] for name, values in parse_qs(urlsplit(ground.consent(consent_url, person)).query).items()}
    return consenting.come_back(
        slug, user, state=back.get("state", ""), code=back.get("code", ""), error=back.get("error", ""), now=clock()
    )
