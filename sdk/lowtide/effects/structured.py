"""Documents of other standards, in JSON or YAML -> values.

YAML is read as those standards ask for it: its scalars are JSON's, so that ``on`` and ``2026-01-01`` stay texts. The
loader is imported when the first document that is no JSON is read.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import msgspec

from lowtide.model.base import JSON

__all__ = ["read_structured"]

_SCALARS: Final = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
)


def read_structured(body: bytes) -> JSON:
    """Raises ``ValueError`` where it is neither; its text is the reason."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return _read_yaml(body)


def _read_yaml(body: bytes) -> JSON:
    import yaml

    try:
        return yaml.load(body, Loader=_loader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = str(getattr(error, "problem", None) or error) or type(error).__name__
        raise ValueError(f"it is neither JSON nor YAML ({reason})") from error


@cache
def _loader() -> Any:
    """libyaml's loader where it is built in, else PyYAML's own, with the scalars of JSON alone."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("Loader", (base,), {"yaml_implicit_resolvers": {}})
    for kind, pattern, first in _SCALARS:
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"^(?:{pattern})$"), first)
    return loader
