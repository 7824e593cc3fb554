"""Files with alert rules: YAML or JSON, one rule or many, each with its name; secrets may come from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lowtide.cli import given
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

__all__ = ["rules_of"]

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def rules_of(path: str, environment: Mapping[str, str]) -> dict[str, dict[str, JSON]]:
    """Name -> rule. A webhook's secret that is written ``${NAME}`` is that variable's value.

    Raises :class:`lowtide.errors.InvalidInput` naming the file, what is wrong and how to mend it.
    """
    import yaml

    where = "stdin" if path == "-" else path
    try:
        documents = [document for document in yaml.safe_load_all(given.text_of(path)) if document is not None]
    except yaml.YAMLError as error:
        raise InvalidInput(f"{where}: this is no YAML: {error}") from error
    found: dict[str, dict[str, JSON]] = {}
    for document in documents:
        for one in document if isinstance(document, list) else [document]:
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                raise InvalidInput(f"{where}: each rule is an object with a `name`; several are parts between `---`")
            name = one.pop("name")
            if name in found:
                raise InvalidInput(f"{where}: the rule {name} is there twice; name it once")
            found[name] = _with_secrets(one, environment, f"{where}: {name}")
    if not found:
        raise InvalidInput(f"{where}: there is no rule in it")
    return found


def _with_secrets(rule: dict[str, JSON], environment: Mapping[str, str], where: str) -> dict[str, JSON]:
    for webhook in rule.get("webhooks") or []:
        secret = webhook.get("secret") if isinstance(webhook, dict) else None
        named = _VARIABLE.fullmatch(secret) if isinstance(secret, str) else None
        if named is None:
            continue
        if not environment.get(named[1]):
            raise InvalidInput(f"{where}: the variable {named[1]} is not set; export the webhook's secret as it")
        webhook["secret"] = environment[named[1]]
    return rule
