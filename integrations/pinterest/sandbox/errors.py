"""Refusals: every answer of Pinterest's that is not a success."""

from collections.abc import Mapping

from django.http import JsonResponse


class AnswerDropped(ConnectionAbortedError):
    """The request was applied and the connection is to close without an answer."""


class Refusal(Exception):
    """A refusal with Pinterest's error body. Its message never holds anything of the request's records."""

    def __init__(self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> JsonResponse:
        """Return the answer that says so."""
        return JsonResponse({"code": self.code, "message": self.message}, status=self.status, headers=self.headers)


def invalid(message: str) -> Refusal:
    """Return a refusal of wrong parameters."""
    return Refusal(400, 1, message)


def unauthenticated() -> Refusal:
    """Return a refusal of a missing, wrong, expired or revoked token or app secret."""
    return Refusal(401, 2, "Authentication failed.")


def not_permitted(detail: str = "") -> Refusal:
    """Return a refusal of something that this person or app may not do."""
    return Refusal(403, 29, f"You are not permitted to access that resource. {detail}".rstrip())


def not_found(what: str, code: int = 4) -> Refusal:
    """Return a refusal of something that is not there."""
    return Refusal(404, code, f"{what} not found.")
