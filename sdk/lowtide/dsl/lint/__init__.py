"""What the grammar cannot say. One small function per rule; ``RULES`` is the list of them.

``names``  duplicate and reserved names          ``flow``         where ``then`` leads, unreachable tasks, defaults
``events`` filters, attributes                    ``schedule``     exclusivity; ``cron``
``calls``  time budget, methods, backoff          ``document``     language, keys without value, unused definitions
``expressions``  variables, secrets, ``syntax``   ``lists``        every list of tasks, for the rules
``schemas``  formats, soundness                   ``secrets``      what would be put out as it is
``containers``  volumes, ports, stdin             ``limits``       of executions, in the metadata

References to ``use.*`` are checked where they are resolved, in :mod:`lowtide.dsl.normalise.draft`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lowtide.dsl.lint import (
    calls,
    containers,
    document,
    events,
    expressions,
    flow,
    limits,
    names,
    schedule,
    schemas,
    secrets,
)
from lowtide.dsl.lint.lists import Listed, lists_of
from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Node

__all__ = ["RULES", "lint"]

RULES: Final[tuple[Callable[[Node, list[Listed], Report], None], ...]] = (
    names.duplicate_names,
    names.reserved_names,
    names.case_names,
    names.called_functions,
    names.hidden_variables,
    flow.unknown_targets,
    flow.unreachable_tasks,
    flow.switch_defaults,
    flow.empty_lists,
    schedule.exactly_one,
    schedule.read_needs_on,
    schedule.cron,
    schedule.positive_interval,
    events.filter_patterns,
    events.attribute_names,
    events.endless_foreach,
    calls.call_timeouts,
    calls.http_methods,
    calls.script_languages,
    calls.backoff_options,
    containers.container_arguments,
    document.evaluate_language,
    document.empty_values,
    document.our_choices,
    document.retention,
    limits.limits,
)


def lint(draft: Draft, report: Report) -> None:
    """Runs every rule on a document that was loaded and, as far as it went, normalised."""
    lists = list(lists_of(draft.root))
    for rule in RULES:
        rule(draft.root, lists, report)
    document.unused_definitions(draft, report)
    expressions.check_expressions(draft, report)
    secrets.secrets_put_out(draft, report)
    expressions.forgotten_braces(draft, report)
    schemas.check_schemas(draft, report)
