"""Schemas: the text of a fetched one, its format, and what is wrong with one.

Schemas are JSON Schema 2020-12. References lead into the schema itself: one that leads elsewhere is refused, since
what an execution depends on must stand in its plan.
"""

from __future__ import annotations

from typing import Any, Final

from lowtide.dsl.outside.references import Found
from lowtide.dsl.outside.text import read
from lowtide.dsl.problem import Report
from lowtide.model.base import JSON

__all__ = ["FORMATS", "flaw", "read_schema"]

FORMATS: Final = ("json", "json:2020-12")
_BEGIN: Final = "a schema is a JSON Schema object, such as: type: object"


def read_schema(found: Found, report: Report) -> JSON:
    """The JSON of a schema's text (JSON or YAML); mistakes go to ``report``."""
    text = read(found, report, _BEGIN)
    if text is None:
        return None
    root, _ = text
    wrong = flaw(root.value)
    if wrong is not None:
        report.error((1, 1), *wrong)
    return root.value


def flaw(schema: JSON) -> tuple[str, str] | None:
    """What is wrong with a schema, and how to mend it; ``None`` where it is sound."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
        missing = _missing_reference(schema)
    except SchemaError as error:
        where = "/" + "/".join(str(segment) for segment in error.absolute_path)
        return f"it is not a JSON Schema: {error.message[:300]} at {where}", "write JSON Schema 2020-12"
    except RecursionError:
        return "the schema is nested too deeply", "make it flatter"
    if missing is None:
        return None
    return (
        f"its reference '{missing[:200]}' leads nowhere in it",
        "put what it names below $defs: a schema must be whole, nothing is fetched for it",
    )


def _missing_reference(schema: JSON) -> str | None:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource: Any = DRAFT202012.create_resource(schema)
    registry: Any = Registry().with_resource(resource.id() or "", resource)
    waiting = [(resource, registry.resolver_with_root(resource))]
    while waiting:
        one, resolver = waiting.pop()
        if isinstance(one.contents, dict):
            for keyword in ("$ref", "$dynamicRef"):
                reference = one.contents.get(keyword)
                try:
                    if isinstance(reference, str):
                        resolver.lookup(reference)
                except Unresolvable:
                    return reference
        waiting += [(inner, resolver.in_subresource(inner)) for inner in one.subresources()]
    return None
