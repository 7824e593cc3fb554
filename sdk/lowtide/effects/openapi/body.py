"""Values -> the request's body and its content type.

The language gives all values by name. One that is called ``body`` (in Swagger 2.0: as the body parameter is called) is
the body; without it, the values that no parameter took are its members.
"""

from __future__ import annotations

from typing import Final

from lowtide.effects.openapi.document import OpenApi, misfit
from lowtide.effects.openapi.operation import Operation
from lowtide.effects.openapi.parameters import Placed
from lowtide.model.base import JSON

__all__ = ["accepted", "take_body"]

_FORM: Final = "application/x-www-form-urlencoded"


def take_body(document: OpenApi, operation: Operation, placed: Placed) -> tuple[JSON, str | None]:
    """The body (``None``: there is none) and its content type; what it takes is no longer in ``placed.rest``.

    Raises ``TaskFailed`` (``configuration``) where a value has no place, or the body none of its values.
    """
    if document.swagger:
        body, kind, required = _of_swagger(document, operation, placed)
    else:
        body, kind, required = _of_openapi(document, operation, placed)
    if placed.rest:
        unknown = ", ".join(sorted(placed.rest))
        raise misfit(f"the operation {operation.id!r} has no parameter {unknown}, and no body to put it in")
    if body is None and required:
        raise misfit(f"the operation {operation.id!r} needs a body; give it as the parameter `body`")
    return body, kind if body is not None else None


def _of_openapi(document: OpenApi, operation: Operation, placed: Placed) -> tuple[JSON, str | None, bool]:
    if operation.members.get("requestBody") is None:
        return None, None, False
    request = document.resolved(operation.members["requestBody"])
    offered = list(document.resolved(request.get("content")))
    return _take(placed, "body"), _chosen(operation, offered), bool(request.get("required"))


def _of_swagger(document: OpenApi, operation: Operation, placed: Placed) -> tuple[JSON, str | None, bool]:
    offered = operation.members.get("consumes") or document.root.get("consumes") or []
    form = [parameter for parameter in operation.parameters if parameter.get("in") == "formData"]
    if form:
        if offered and _FORM not in offered:
            raise misfit(f"the operation {operation.id!r} takes {', '.join(offered)}; forms are sent as {_FORM}")
        values = {str(item["name"]): placed.rest.pop(str(item["name"]), None) for item in form}
        missing = [str(item["name"]) for item in form if item.get("required") and values[str(item["name"])] is None]
        if missing:
            raise misfit(f"the operation {operation.id!r} needs the parameter {', '.join(missing)} (formData)")
        return {name: value for name, value in values.items() if value is not None}, _FORM, False
    for parameter in operation.parameters:
        if parameter.get("in") == "body":
            body = _take(placed, str(parameter.get("name")))
            return body, _chosen(operation, offered or ["application/json"]), bool(parameter.get("required"))
    return None, None, False


def _take(placed: Placed, name: str) -> JSON:
    if name in placed.rest:
        return placed.rest.pop(name)
    rest, placed.rest = placed.rest, {}
    return rest or None


def _chosen(operation: Operation, offered: list[str]) -> str | None:
    """JSON where it is offered, else a form, else the first that a text can be."""
    plain = [kind for kind in offered if kind.partition(";")[0].strip().lower() == "application/json"]
    plain += [kind for kind in offered if kind.partition(";")[0].strip().lower().endswith("+json")]
    plain += [kind for kind in offered if kind.startswith((_FORM, "text/"))]
    if plain:
        return plain[0]
    if not offered or "*/*" in offered or "application/*" in offered:
        return "application/json"
    if any(kind.startswith("multipart/") for kind in offered):
        raise misfit(f"the operation {operation.id!r} takes {', '.join(offered)}, which Lowtide does not send")
    return offered[0]


def accepted(document: OpenApi, operation: Operation) -> str | None:
    """The ``Accept`` header: what the document says that the operation answers."""
    if document.swagger:
        kinds = operation.members.get("produces") or document.root.get("produces") or []
    else:
        responses = document.resolved(operation.members.get("responses")).values()
        kinds = [kind for node in responses for kind in document.resolved(document.resolved(node).get("content"))]
    return ", ".join(dict.fromkeys(map(str, kinds))) or None
