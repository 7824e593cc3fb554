"""Values -> path, query, headers and cookies (OpenAPI 3.1, "Style Values"; Swagger 2.0, "collectionFormat")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import msgspec

from lowtide.effects.openapi.document import OpenApi, misfit
from lowtide.effects.openapi.operation import Operation
from lowtide.model.base import JSON

__all__ = ["Placed", "place", "text_of"]

_FORMATS: Final = {"csv": "simple", "multi": "form", "ssv": "spaceDelimited", "pipes": "pipeDelimited", "tsv": "tab"}
_DELIMITERS: Final = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "tab": "%09"}
_STYLES: Final = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}
_SAFE: Final = "-._~"


@dataclass
class Placed:
    """``query`` holds finished ``name=value`` texts, ``rest`` the values that no parameter took."""

    path: str
    rest: dict[str, JSON]
    query: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)

    def put(self, where: str, name: str, value: str) -> None:
        """A plain value, as a key of a security scheme is."""
        match where:
            case "query":
                self.query.append(f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}")
            case "header":
                self.headers[name] = value
            case "cookie":
                self.cookies.append(f"{name}={quote(value, safe=_SAFE)}")


def place(document: OpenApi, operation: Operation, values: dict[str, JSON]) -> Placed:
    """Raises ``TaskFailed`` (``configuration``) where a required parameter has no value."""
    placed = Placed(operation.path, dict(values))
    for parameter in operation.parameters:
        name, where = str(parameter.get("name")), str(parameter.get("in"))
        if where not in _STYLES:
            continue  # Swagger's body and formData
        value = placed.rest.pop(name, _default(document, parameter))
        if value is not None:
            _put(placed, parameter, name, where, value)
        elif parameter.get("required") or where == "path":
            raise misfit(f"the operation {operation.id!r} needs the parameter {name!r} ({where})")
    return placed


def _put(placed: Placed, parameter: dict[str, JSON], name: str, where: str, value: JSON) -> None:
    if "content" in parameter:
        value = msgspec.json.encode(value).decode()
    style = str(parameter.get("style") or _FORMATS.get(str(parameter.get("collectionFormat"))) or "")
    style = style or ("simple" if "type" in parameter else _STYLES[where])  # Swagger's arrays are csv by default
    explode = bool(parameter.get("explode", style in {"form", "deepObject"}))
    match where:
        case "path":
            placed.path = placed.path.replace(f"{{{name}}}", _in_path(name, value, style, explode))
        case "header":
            placed.headers[name] = _simple(value, explode, safe=None)
        case "cookie":
            placed.cookies.append("; ".join(_pairs(name, value, style, explode)))
        case "query":
            placed.query += _pairs(name, value, style, explode)


def _in_path(name: str, value: JSON, style: str, explode: bool) -> str:
    match style:
        case "label":
            return "." + _simple(value, explode, delimiter="." if explode else ",")
        case "matrix":
            return "".join(f";{pair}" for pair in _pairs(name, value, "form", explode))
        case _:
            return _simple(value, explode)


def _simple(value: JSON, explode: bool, *, delimiter: str = ",", safe: str | None = _SAFE) -> str:
    match value:
        case list():
            return delimiter.join(_quoted(item, safe) for item in value)
        case dict() if explode:
            return delimiter.join(f"{_quoted(key, safe)}={_quoted(item, safe)}" for key, item in value.items())
        case dict():
            return delimiter.join(f"{_quoted(key, safe)},{_quoted(item, safe)}" for key, item in value.items())
        case _:
            return _quoted(value, safe)


def _pairs(name: str, value: JSON, style: str, explode: bool) -> list[str]:
    """``name=value`` texts for a query, a cookie or a matrix."""
    key = quote(name, safe=_SAFE)
    match value:
        case list() if explode:
            return [f"{key}={_quoted(item)}" for item in value]
        case list():
            return [f"{key}={_DELIMITERS.get(style, ',').join(_quoted(item) for item in value)}"] if value else []
        case dict() if style == "deepObject":
            return [f"{key}%5B{_quoted(member)}%5D={_quoted(item)}" for member, item in value.items()]
        case dict() if explode:
            return [f"{_quoted(member)}={_quoted(item)}" for member, item in value.items()]
        case _:
            return [f"{key}={_simple(value, explode)}"]


def _default(document: OpenApi, parameter: dict[str, JSON]) -> JSON:
    """A required parameter's default value; the others are left to the server."""
    if not parameter.get("required"):
        return None
    return parameter.get("default", document.resolved(parameter.get("schema")).get("default"))


def _quoted(value: JSON, safe: str | None = _SAFE) -> str:
    return text_of(value) if safe is None else quote(text_of(value), safe=safe)


def text_of(value: JSON) -> str:
    """A value as text: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
