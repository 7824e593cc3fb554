"""Knative's CustomResourceDefinitions as JSON Schemas, as strict as `kubectl apply --validate=strict` is.

The definitions lie next to the repository; ``LOWTIDE_KNATIVE_CRDS`` names another folder of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

__all__ = ["FOLDER", "Kind", "schemas", "strict"]

Kind: TypeAlias = tuple[str, str]
"""apiVersion and kind."""

FOLDER: Final = Path(
    os.environ.get("LOWTIDE_KNATIVE_CRDS") or Path(__file__).parents[4] / "shared" / "knative" / "crds"
)

_OBJECT: Final = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def schemas() -> dict[Kind, dict[str, Any]]:
    """The JSON Schema of every served version of every kind that the folder defines."""
    found: dict[Kind, dict[str, Any]] = {}
    for path in sorted(FOLDER.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document and document.get("kind") == "CustomResourceDefinition":
                found |= _versions(document["spec"])
    return found


def _versions(spec: dict[str, Any]) -> dict[Kind, dict[str, Any]]:
    kind = spec["names"]["kind"]
    return {
        (f"{spec['group']}/{version['name']}", kind): _whole(version["schema"]["openAPIV3Schema"])
        for version in spec["versions"]
        if version["served"]
    }


def _whole(structural: dict[str, Any]) -> dict[str, Any]:
    """An object of the API: what the API server itself adds to every schema is allowed."""
    schema = strict(structural)
    schema["properties"] = {**schema.get("properties", {}), **_OBJECT}
    return schema


def strict(structural: dict[str, Any]) -> dict[str, Any]:
    """A structural schema as a JSON Schema that refuses unknown fields where the API server would drop them."""
    schema = {key: value for key, value in structural.items() if not key.startswith("x-kubernetes-")}
    schema.pop("format", None)
    if structural.get("x-kubernetes-int-or-string"):
        schema = {"type": ["integer", "string"]}
    if "properties" in schema:
        schema["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = strict(schema["additionalProperties"])
    elif "properties" in schema and not structural.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
    if "items" in schema:
        schema["items"] = strict(schema["items"])
    if schema.pop("nullable", False) and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema
