"""Values with a form of their own: names, versions, expressions, durations, URIs."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, Tag

from lowtide.dsl.models.base import Model, by_shape, mistake
from lowtide.dsl.templates import MARKER, whole
from lowtide.model.duration import to_millis

__all__ = [
    "Data",
    "DnsName",
    "Duration",
    "Expression",
    "Flow",
    "Object",
    "Scalar",
    "SemanticVersion",
    "Timeout",
    "TimeoutOrName",
    "Uri",
    "VariableName",
    "WholeExpression",
]

_DNS: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_VERSION: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_VARIABLE: Final = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_]*")


def _dns_name(text: str) -> str:
    if not _DNS.fullmatch(text):
        raise mistake(
            f"'{text[:80]}' is not a name", "use 1 to 63 letters, digits and inner hyphens, no dots, as in order-intake"
        )
    return text


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise mistake(f"'{text[:80]}' is not a semantic version", "write three numbers, as in 1.0.0")
    return text


def _expression(text: str) -> str:
    if not text.strip():
        raise mistake("the expression is empty", "write jq, such as .order.total > 10, or remove the key")
    return text


def _whole(text: str) -> str:
    if whole(text) is None:
        raise mistake(f"'{text[:60]}' is not an expression", "write a mapping, or one expression: ${ .headers }")
    return text


def _duration_text(text: str) -> str:
    if MARKER not in text:
        _duration(text)
    elif whole(text) is None:
        raise mistake("only a part of the duration is an expression", 'make it whole: ${ "PT\\(.seconds)S" }')
    return text


def _duration_object(members: dict[str, Any]) -> dict[str, Any]:
    if not any(isinstance(amount, str) and whole(amount) for amount in members.values()):
        _duration(members)
    return members


def _duration(value: Any) -> None:
    try:
        to_millis(value)
    except ValueError as error:
        message, _, mend = str(error).partition("; ")
        raise mistake(message, mend) from error


def _uri(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise mistake("the URI is empty", "write one, such as https://example.com/orders/{id}")
    if MARKER not in text and (text != stripped or re.search(r"\s", text)):
        raise mistake(f"the URI '{text[:80]}' holds white space", "remove it or write it as %20")
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise mistake(f"'{text[:60]}' is not the name of a variable", "use letters, digits and _, as in item")
    return text


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise mistake("a single value is expected here", "write text or a number, or an expression: ${ .value }")
    return value


Data: TypeAlias = Any
"""The author's own data: anything, with ``${ … }`` where it is computed."""

Object: TypeAlias = dict[str, Any]

DnsName: TypeAlias = Annotated[str, AfterValidator(_dns_name)]
SemanticVersion: TypeAlias = Annotated[str, AfterValidator(_version)]

Expression: TypeAlias = Annotated[str, AfterValidator(_expression)]
"""jq, in ``${ … }`` or bare (decision A-2). Its syntax is checked by the linter."""

WholeExpression: TypeAlias = Annotated[str, AfterValidator(_whole)]
"""One ``${ … }`` and nothing else."""

Scalar: TypeAlias = Annotated[Any, BeforeValidator(_scalar)]

VariableName: TypeAlias = Annotated[str, AfterValidator(_variable)]

Uri: TypeAlias = Annotated[str, AfterValidator(_uri)]
"""A URI, a URI template, or an expression."""

Duration: TypeAlias = Annotated[
    Annotated[str, AfterValidator(_duration_text), Tag("<text>")]
    | Annotated[dict[str, Any], AfterValidator(_duration_object), Tag("<object>")],
    by_shape("a duration is expected", "write ISO 8601 such as PT30S, or an object such as {minutes: 5}"),
]

Flow: TypeAlias = Annotated[
    Annotated[str, AfterValidator(_expression), Tag("<text>")] | Annotated[dict[str, Any], Tag("<object>")],
    by_shape("an expression or an object is expected", "write jq such as .order, or an object with ${ … } in it"),
]
"""``from`` and ``as``: an expression, or an object with expressions inside."""


class Timeout(Model):
    after: Duration = Field(examples=["PT30S"])


TimeoutOrName: TypeAlias = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[Timeout, Tag("<object>")],
    by_shape("a timeout is expected", "write {after: PT30S}, or the name of one in use.timeouts"),
]
