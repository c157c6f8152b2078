"""Judge an exchange with Pinterest, or with the sandbox, by Pinterest's own OpenAPI description.

openapi-core checks paths, parameters, bodies and answers. What it passes over is checked here with jsonschema: the
schema behind a discriminator, fields and parameters that the description does not know, answers without content,
and whether the right kind of credentials was sent.
"""

import json
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from jsonschema import Draft202012Validator
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests import material

PATH = material.OPENAPI
SERVER = "https://api.pinterest.com"
BASE = "/v5"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
# Named in the text of the description ("make sure to set the continuous_refresh parameter"), not in its schema.
FORM_FIELDS_IN_PROSE = frozenset({"continuous_refresh"})

Schema = dict[str, Any]


class ContractBroken(AssertionError):
    """An exchange is not what Pinterest describes."""


def validate_exchange(
    method: str,
    url: str,
    request_headers: Mapping[str, str],
    request_body: bytes | str | None,
    status: int,
    response_headers: Mapping[str, str],
    response_body: bytes | str,
) -> None:
    """Check a request and its answer. Raises ContractBroken."""
    validate_request(method, url, request_headers, request_body)
    validate_answer(method, url, request_headers, request_body, status, response_headers, response_body)


def validate_request(method: str, url: str, headers: Mapping[str, str], body: bytes | str | None) -> None:
    """Check a request: path, parameters, credentials and body. Raises ContractBroken."""
    request = _request(method, url, headers, body)
    operation, shared = _operation(method, url)
    try:
        with warnings.catch_warnings():
            # openapi-core does not know OAuth; `_check_credentials` looks for the token
            warnings.filterwarnings("ignore", message="Unsupported scheme type")
            _openapi().validate_request(request)
    except OpenAPIError as problem:
        raise ContractBroken(f"{method} {url}: {problem} {problem.__cause__ or ''}") from problem
    known = {parameter["name"] for parameter in map(_resolve, [*operation.get("parameters", []), *shared])}
    unknown = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)} - known
    if unknown:
        raise ContractBroken(f"{method} {url}: no such parameters: {sorted(unknown)}")
    _check_credentials(operation, headers, f"{method} {url}")
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        if body:
            raise ContractBroken(f"{method} {url} takes no body")
        return
    kind = _content_type(headers)
    if kind not in content:
        raise ContractBroken(f"{method} {url}: content type {kind!r} is none of {sorted(content)}")
    _check(content[kind]["schema"], _request_value(kind, body), f"request body of {method} {url}")


def validate_answer(
    method: str,
    url: str,
    request_headers: Mapping[str, str],
    request_body: bytes | str | None,
    status: int,
    headers: Mapping[str, str],
    body: bytes | str,
) -> None:
    """Check an answer, also one to a request that is wrong on purpose. Raises ContractBroken."""
    operation, _ = _operation(method, url)
    where = f"answer {status} to {method} {url}"
    content = body.encode() if isinstance(body, str) else body
    described = operation["responses"].get(str(status), operation["responses"].get("default"))
    if described is None:
        raise ContractBroken(f"{where}: not described")
    if "content" not in described:
        if content:
            raise ContractBroken(f"{where}: has a body, but no content is returned")
        return
    kind = _content_type(headers)
    request = _request(method, url, request_headers, request_body)
    response = MockResponse(content, status_code=status, headers=dict(headers), content_type=kind)
    try:
        _openapi().validate_response(request, response)
    except OpenAPIError as problem:
        raise ContractBroken(f"{where}: {problem} {problem.__cause__ or ''}") from problem
    _check(described["content"][kind]["schema"], json.loads(content), where)


@cache
def description() -> dict[str, Any]:
    """Return Pinterest's description; skip the test, loudly, where it is not there."""
    if not PATH.is_file():
        message = f"Pinterest's OpenAPI description is not at {PATH}: set PINSYNC_PINTEREST_OPENAPI"
        warnings.warn(message, stacklevel=2)
        pytest.skip(message)
    loaded: dict[str, Any] = json.loads(PATH.read_text())
    return loaded


@cache
def _openapi() -> OpenAPI:
    return OpenAPI.from_dict(description())  # type: ignore[arg-type]


def _path(url: str) -> str:
    path = urlsplit(url).path
    if f"{BASE}/" not in path:
        raise ContractBroken(f"{url} is not below {BASE}")
    return path[path.index(f"{BASE}/") + len(BASE) :]


def _operation(method: str, url: str) -> tuple[dict[str, Any], list[Any]]:
    """Return the operation behind a path, and the parameters that all operations of the path share."""
    parts = _path(url).split("/")
    for template, operations in description()["paths"].items():
        wanted = template.split("/")
        fits = len(wanted) == len(parts) and all(
            name == part or name.startswith("{") for name, part in zip(wanted, parts, strict=True)
        )
        if fits and method.lower() in operations:
            return operations[method.lower()], operations.get("parameters", [])
    raise ContractBroken(f"{method} {url}: no such operation")


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes | str | None) -> MockRequest:
    return MockRequest(
        SERVER,
        method.lower(),
        BASE + _path(url),
        args=dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        headers=dict(headers),
        data=(body.encode() if isinstance(body, str) else body) or None,
        content_type=_content_type(headers),
    )


def _content_type(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if name.lower() == "content-type":
            return value.partition(";")[0].strip()
    return ""


def _check_credentials(operation: dict[str, Any], headers: Mapping[str, str], where: str) -> None:
    given = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    schemes = {name for requirement in operation["security"] for name in requirement}
    wanted = "Basic" if schemes == {"basic"} else "Bearer"
    if not given.startswith(f"{wanted} "):
        raise ContractBroken(f"{where}: needs {wanted} credentials")


def _request_value(kind: str, body: bytes | str | None) -> Any:
    text = body.decode() if isinstance(body, bytes) else body or ""
    if kind == FORM:
        fields = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
        return {name: value for name, value in fields.items() if name not in FORM_FIELDS_IN_PROSE}
    return json.loads(text)


def _check(schema: Schema, value: Any, where: str) -> None:
    validator = Draft202012Validator(_strict(_behind_discriminator(schema, value, where)))
    problems = [f"{problem.json_path}: {problem.message}" for problem in validator.iter_errors(value)]
    if problems:
        raise ContractBroken(f"{where}: {'; '.join(problems)}")


def _resolve(schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Any = description()
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return _resolve(found)


def _behind_discriminator(schema: Schema, value: Any, where: str) -> Schema:
    """Return the schema that the value's own field names; the general one holds as well."""
    general = _resolve(schema)
    discriminator = general.get("discriminator")
    if not discriminator:
        return general
    name = value.get(discriminator["propertyName"]) if isinstance(value, dict) else None
    if name not in discriminator["mapping"]:
        raise ContractBroken(f"{where}: {discriminator['propertyName']} is {name!r}")
    return {"allOf": [general, _resolve({"$ref": discriminator["mapping"][name]})]}


def _strict(schema: Schema, *, closed: bool = True) -> Schema:
    """Return an OpenAPI 3.0 schema as JSON Schema, in which no object has a field that is not described.

    An object that describes no field at all may have any.
    """
    schema = _resolve(schema)
    strict = {key: value for key, value in schema.items() if key in _KEPT}
    if "allOf" in schema:
        strict["allOf"] = [_strict(part, closed=False) for part in schema["allOf"]]
    if "properties" in schema:
        strict["properties"] = {name: _strict(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        strict["items"] = _strict(schema["items"], closed=closed)
    if closed and _describes_fields(schema):
        # the two mean the same where no other schema describes fields of the object; the first is far cheaper
        strict["unevaluatedProperties" if "allOf" in schema else "additionalProperties"] = False
    if schema.get("nullable"):
        strict = {"anyOf": [strict, {"type": "null"}]}
    return strict


def _describes_fields(schema: Schema) -> bool:
    return "properties" in schema or any(_describes_fields(_resolve(part)) for part in schema.get("allOf", []))


_KEPT = ("type", "enum", "required", "pattern", "maxLength", "minLength", "minimum", "maximum", "minItems", "maxItems")
