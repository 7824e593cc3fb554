"""JSON Schema 2020-12 validation (dsl-reference.md, "Schema"). References lead into the schema itself alone."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from lowtide.engine.host import WRONG_SCHEMA
from lowtide.model.base import JSON

__all__ = ["Validators", "may_take_long"]

_MOST: Final = 10
_NOWHERE: Final[Registry[Any]] = Registry()
"""Without it, the library would fetch what a reference names from anywhere."""


_REPETITION: Final = re.compile(r"[*+{]")


def may_take_long(schema: JSON) -> bool:
    """Whether a regular expression of the schema may try very many ways before it gives up: one that has groups or
    alternatives, or repeats more than once."""
    if isinstance(schema, list):
        return any(may_take_long(item) for item in schema)
    if not isinstance(schema, dict):
        return False
    keys = schema.get("patternProperties")
    patterns = [schema.get("pattern"), *(keys if isinstance(keys, dict) else ())]
    return any(map(_is_costly, patterns)) or any(map(may_take_long, schema.values()))


def _is_costly(pattern: JSON) -> bool:
    return isinstance(pattern, str) and (bool({"(", "|"} & set(pattern)) or len(_REPETITION.findall(pattern)) > 1)


class Validators:
    """Compiled schemas, the least recently used dropped first. Safe to use from several threads."""

    def __init__(self, size: int = 200) -> None:
        self._size = size
        self._made: OrderedDict[bytes, Any] = OrderedDict()
        self._lock = threading.Lock()

    def violations(self, schema: JSON, value: JSON) -> list[str]:
        """What does not fit, as ``pointer: what``; at most ten."""
        try:
            found = sorted(self._get(schema).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
        except SchemaError as error:
            return [f"{WRONG_SCHEMA}: {error.message}"]
        except Unresolvable as error:
            return [f"{WRONG_SCHEMA}: the reference {error.ref!r} leads nowhere in it"]
        except OverflowError:
            return ["/: a number is too large to be checked by the schema"]
        except RecursionError:
            return [f"{WRONG_SCHEMA}, or the value is nested too deeply: the check has no end"]
        return [f"{_pointer(error)}: {error.message[:300]}" for error in found[:_MOST]]

    def _get(self, schema: JSON) -> Any:
        key = msgspec.json.encode(schema)
        with self._lock:
            validator = self._made.get(key)
            if validator is not None:
                self._made.move_to_end(key)
                return validator
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema, registry=_NOWHERE)
        with self._lock:
            self._made[key] = validator
            if len(self._made) > self._size:
                self._made.popitem(last=False)
        return validator


def _pointer(error: Any) -> str:
    segments = [str(segment).replace("~", "~0").replace("/", "~1") for segment in error.absolute_path]
    return "/" + "/".join(segments)
