"""Templates -> values. The only place of the engine that evaluates expressions and checks schemas."""

from __future__ import annotations

from typing import assert_never

import msgspec

from lowtide.engine.depth import NESTED
from lowtide.engine.host import ExpressionFailed, Variables
from lowtide.engine.run import Run
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Millis
from lowtide.model.duration import to_millis
from lowtide.model.error import standard_error
from lowtide.model.plan import (
    ArrayTemplate,
    Expression,
    Interpolation,
    Literal_,
    ObjectTemplate,
    Schema,
    Template,
)

__all__ = ["check_schema", "duration", "evaluate", "render", "truthy"]


def render(run: Run, template: Template, value: JSON, scope: Variables) -> JSON:
    """The template's value on ``value``. Raises :class:`lowtide.errors.TaskFailed` (``expression``, 400)."""
    match template:
        case Expression():
            return evaluate(run, template, value, scope)
        case ObjectTemplate():
            return {key: render(run, member, value, scope) for key, member in template.members.items()}
        case Literal_():
            return template.value
        case ArrayTemplate():
            return [render(run, item, value, scope) for item in template.items]
        case Interpolation():
            return "".join(
                part if isinstance(part, str) else _as_text(evaluate(run, part, value, scope))
                for part in template.parts
            )
        case _:
            assert_never(template)


def evaluate(run: Run, expression: Expression, value: JSON, scope: Variables) -> JSON:
    """One jq program on ``value``; identity never passes through jq (decision A-4)."""
    if expression.source.strip() == ".":
        return value
    try:
        result = run.host.evaluate(expression.source, value, scope, run.now)
    except ExpressionFailed as failure:
        if failure.syntax and expression.lenient:
            return expression.source
        where = f" at {expression.at}" if expression.at else ""
        detail = f"{expression.source.strip()!r}{where} on {_shape(value)}: {failure}"
        raise TaskFailed(standard_error("expression", detail)) from failure
    if type(result) in NESTED:
        run.depths.check(result, "value of an expression")
    return result


def truthy(run: Run, expression: Expression, value: JSON, scope: Variables) -> bool:
    """jq's idea of truth: everything but ``false`` and ``null``."""
    result = evaluate(run, expression, value, scope)
    return result is not None and result is not False


def duration(run: Run, template: Template, value: JSON, scope: Variables) -> Millis:
    """A duration in milliseconds. Raises ``TaskFailed`` (``expression``) where an expression gives none."""
    if isinstance(template, Literal_) and isinstance(template.value, int):
        return Millis(template.value)
    rendered = render(run, template, value, scope)
    try:
        return Millis(to_millis(rendered))
    except ValueError as error:
        raise TaskFailed(standard_error("expression", f"this is not a duration: {error}")) from error


def check_schema(run: Run, schema: Schema | None, value: JSON, what: str) -> None:
    """Raises ``TaskFailed`` (``validation``, 400) naming every member of ``value`` that does not fit."""
    if schema is None:
        return
    if schema.resource is not None and schema.document is None:
        detail = f"the schema of the {what} is not in the plan: deploy the workflow again, so that it is fetched"
        raise TaskFailed(standard_error("configuration", detail))
    violations = run.host.violations(schema.document, value)
    if violations:
        raise TaskFailed(standard_error("validation", f"the {what} does not fit its schema: {'; '.join(violations)}"))


def _as_text(value: JSON) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _shape(value: JSON) -> str:
    """A value's type and, for an object, its keys: enough to see a wrong path, without showing data."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return f"a string of {len(value)} characters"
        case list():
            return f"an array of {len(value)}"
        case _:
            keys = ", ".join(list(value)[:8])
            return f"an object with {keys}{', …' if len(value) > 8 else ''}" if value else "an empty object"
