"""Break the sandbox on purpose: at once, or from now on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .catalogue import BY_NAME, BadFault
from .gate import NONSENSE

if TYPE_CHECKING:
    from .sandbox import Sandbox


def break_on_purpose(sandbox: "Sandbox", name: str, given: Mapping[str, Any]) -> str:
    """Do what a kind of fault says, and return a sentence about it.

    Raises BadFault if there is no such kind, or a parameter names nothing.
    """
    kind = BY_NAME.get(name)
    if kind is None:
        raise BadFault(f"There is no fault of this name. There are: {', '.join(BY_NAME)}.")
    values = kind.read(given)
    if values.get("pinterest_user"):
        user = sandbox.world.pinterest_user(values["pinterest_user"])
        if user is None:
            raise BadFault("pinterest_user is nobody's name or id.", "pinterest_user")
        values["pinterest_user"] = user.id
    if "ad_account_id" in values and values["ad_account_id"] not in sandbox.world.ad_accounts:
        raise BadFault("There is no ad account with this id.", "ad_account_id")
    if "status" in values and not 400 <= values["status"] <= 599:
        raise BadFault("status has to be between 400 and 599.", "status")
    if "form" in values and values["form"] not in NONSENSE:
        raise BadFault(f"form has to be one of {', '.join(NONSENSE)}.", "form")
    if name == "revoke_token":
        grants = sandbox.tokens.revoke_user(values["pinterest_user"])
        return f"Revoked the tokens of {grants} grants."
    if name == "delete_audience":
        if values["audience_id"] not in sandbox.world.audiences:
            raise BadFault("There is no audience with this id.", "audience_id")
        sandbox.world.remove_audience(id=values["audience_id"], with_list=True)
        return "Deleted the audience and its customer list."
    if name == "clock":
        sandbox.world.jump(hours=values["hours"])
        return f"Jumped {values['hours']} hours."
    fault = sandbox.faults.add(name, values)
    return f"{kind.title} is active as number {fault.id}."
