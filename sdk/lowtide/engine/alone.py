"""Templates outside of any execution: a schedule's filters, the authentication of what is fetched for a deployment."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lowtide.model.base import JSON
from lowtide.model.plan import ArrayTemplate, Expression, Literal_, ObjectTemplate, Template

__all__ = ["alone"]


def alone(template: Template, ask: Callable[[str], JSON]) -> JSON:
    """The template's value; ``ask`` gives that of a jq program."""
    match template:
        case Literal_(value=value):
            return value
        case Expression(source=source):
            return ask(source)
        case ArrayTemplate(items=items):
            return [alone(item, ask) for item in items]
        case ObjectTemplate(members=members):
            return {name: alone(member, ask) for name, member in members.items()}
        case _:
            parts = (part if isinstance(part, str) else ask(part.source) for part in template.parts)
            return "".join(part if isinstance(part, str) else msgspec.json.encode(part).decode() for part in parts)
