"""JSON Schema 2020-12 validation (dsl-reference.md, "Schema")."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from lowtide.model.base import JSON

__all__ = ["violations"]

_MOST: Final = 10


def violations(schema: JSON, value: JSON, validators: dict[bytes, Any]) -> list[str]:
    """What does not fit, as ``pointer: what``; at most ten. ``validators`` is the caller's cache."""
    key = msgspec.json.encode(schema)
    validator = validators.get(key)
    if validator is None:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            return [f"the schema itself is wrong: {error.message}"]
        validator = validators[key] = Draft202012Validator(schema)
    found = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{_pointer(error)}: {error.message[:300]}" for error in found[:_MOST]]


def _pointer(error: Any) -> str:
    segments = [str(segment).replace("~", "~0").replace("/", "~1") for segment in error.absolute_path]
    return "/" + "/".join(segments)
