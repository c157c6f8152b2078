"""A bundled stand-in for a partner, which can be broken on purpose."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

# Faults that every playground knows, so that a story can be told at any of them.
OUTAGE = "outage"  # every call fails; `seconds` until it ends by itself
DELETE_AUDIENCE = "delete_audience"  # `audience_id`


@dataclass(frozen=True)
class Fault:
    """Something that can be broken on purpose at a partner's playground."""

    name: str
    label: str
    meaning: str  # one sentence
    parameters: dict[str, Any] = field(default_factory=dict)  # with their defaults
    at_once: bool = False  # done when it is asked for: nothing stays broken, nothing can be mended
    labels: dict[str, str] = field(default_factory=dict)  # what people call the parameters


class Playground(ABC):
    """A bundled stand-in for a partner: for trying things out, and the witness of tests."""

    url: str  # its page for people

    @abstractmethod
    def faults(self) -> list[Fault]:
        """Return what can be broken."""

    @abstractmethod
    def active(self) -> list[dict[str, Any]]:
        """Return the faults at work now: `fault` and `parameters`, and in `label` and `labels` what people call them.

        Raises PartnerError when the playground does not answer.
        """

    @abstractmethod
    def break_it(self, fault: str, parameters: dict[str, Any]) -> int | None:
        """Return the number by which this fault alone is mended; None for one that is done at once.

        Raises InvalidSettings with a sentence for people where a parameter makes no sense.
        """

    @abstractmethod
    def mend(self, number: int | None = None, *, name: str = "") -> None:
        """End the fault of this number, those of this name, or every one that can be ended. Safe to repeat."""

    @abstractmethod
    def records(self, audience_id: str) -> int | None:
        """Return how many records the audience holds this very moment, each once; None when there is none such."""

    @abstractmethod
    def requests(self, since: float) -> list[dict[str, Any]]:
        """Return the requests seen since that epoch time: time, user, method, path, status, records, ads_write."""

    @abstractmethod
    def consent(self, consent_url: str, person: str = "") -> str:
        """Say yes on the consent page, as a person would, and return the address the browser is sent to.

        `person` is the partner's id of who says yes; the first who is offered if not given. Raises PartnerError, also
        where that page is not the playground's: nobody says yes for a real person.
        """
