"""Deployment: a checked document becomes a version, with what it may listen for and what starts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lowtide.engine import ExpressionFailed, Host
from lowtide.engine.alone import alone
from lowtide.errors import Conflict, NotFound
from lowtide.model.base import JSON, Millis
from lowtide.model.command import AwaitCorrelation, AwaitFilter
from lowtide.model.ours import retain_of
from lowtide.model.plan import (
    EventFilter,
    Expression,
    Literal_,
    Plan,
    Strategy,
    Template,
)
from lowtide.wire import json

from .actions import ELIGIBLE, Kind, Options
from .nouns import WorkflowVersion
from .operating import Asked, ask
from .scheduling import Before, set_first
from .store import events, outbox, workflows
from .store.database import Tx
from .store.filtering import Filter
from .store.operations import Operation
from .work import Work

if TYPE_CHECKING:
    from lowtide.dsl import Checked, Problem

__all__ = ["Deployed", "deploy", "find_deployed", "problem_json", "remove", "starter_filters", "types_of"]


_FASTEST: Final = 1000.0
"""Executions per second that are cancelled when their workflow is removed."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """``fresh``: the version was not there before."""

    version: WorkflowVersion
    fresh: bool


def problem_json(problem: Problem) -> dict[str, JSON]:
    """A mistake or a warning as the API shows it."""
    names = ("line", "column", "severity", "message", "mend")
    return {name: getattr(problem, name) for name in names}


async def find_deployed(tx: Tx, source: str, plan: Plan) -> Deployed | None:
    """The version, where it is there already: it keeps what was fetched for it then.

    Raises :class:`lowtide.errors.Conflict` where it is there with other content.
    """
    there = await workflows.find_version(tx, plan.namespace, plan.name, plan.version)
    if there is None:
        return None
    if there.source == source or json.parse(there.definition) == plan.definition:
        return Deployed(there, fresh=False)
    raise Conflict(
        f"version {plan.version} of workflow {plan.namespace}/{plan.name} is deployed with other content; "
        "raise document.version, a version never changes"
    )


async def deploy(work: Work, source: str, plan: Plan, checked: Checked) -> Deployed:
    """Store a version, once. Raises :class:`lowtide.errors.Conflict` where it is there with other content."""
    await workflows.lock_name(work.tx, plan.namespace, plan.name)
    there = await find_deployed(work.tx, source, plan)
    if there is not None:
        return there
    values: dict[str, Any] = {
        "namespace": plan.namespace,
        "name": plan.name,
        "version": plan.version,
        "source": source,
        "definition": json.encode(plan.definition),
        "plan": json.encode(plan),
        "warnings": json.encode([problem_json(found) for found in checked.warnings]),
    }
    kept = retain_of(plan.definition)
    retain = None if kept is None else timedelta(milliseconds=kept)
    number, created_at = await workflows.add_version(work.tx, {**values, "retain": retain})
    version = WorkflowVersion(id=number, created_at=created_at, **values)
    await workflows.set_interests(work.tx, number, plan.namespace, types_of(plan))
    await outbox.add_outline(work.tx, number)
    work.after.outlines = True
    await _schedule_newest(work, plan.namespace, plan.name)
    return Deployed(version, fresh=True)


async def remove(
    work: Work, namespace: str, name: str, version: str | None, *, force: bool, kind: Kind
) -> Operation | None:
    """Hide one version, or all of them: nothing of them begins any more.

    ``force``: those that live are cancelled, by the operation that is returned; ``kind`` knows how.
    Raises :class:`lowtide.errors.NotFound`, and :class:`lowtide.errors.Conflict` while executions live, unless forced.
    """
    await workflows.lock_name(work.tx, namespace, name)
    hidden = await workflows.hide_versions(work.tx, namespace, name, version)
    if not hidden:
        raise NotFound(f"there is no workflow {namespace}/{name}" + (f" of version {version}" if version else ""))
    alive = await workflows.any_alive(work.tx, hidden)
    if alive and not force:
        raise Conflict(
            f"{alive} executions of {namespace}/{name} have not ended; wait for them, cancel them, "
            "or repeat with ?force=true: they are then cancelled"
        )
    await _schedule_newest(work, namespace, name)
    for number in hidden:
        await workflows.move_gathered(work.tx, number, None)
        if not alive:
            await workflows.set_interests(work.tx, number, namespace, ())
    if not alive:
        return None
    named = f"{namespace}/{name}" + (f" {version}" if version else "")
    asked = Asked(
        namespace=namespace,
        action="cancel",
        filter=Filter(workflow=name, version=version, phases=ELIGIBLE["cancel"]),
        options=Options(reason=f"workflow {named} was removed"),
        rate=_FASTEST,
    )
    return await ask(work, kind, asked)


async def _schedule_newest(work: Work, namespace: str, name: str) -> None:
    """Only the newest version is started by events and by time; it takes over where the one before it stood.

    Events that came before are for it, too, unless they have started something already; and what was gathered of an
    ``all`` is, where the filters are the same.
    """
    before = await workflows.unschedule(work.tx, namespace, name)
    newest, now = await workflows.find_deployed(work.tx, namespace, name)
    schedule = (await work.plans.get(work.tx, newest.id)).schedule if newest else None
    old = (await work.plans.get(work.tx, before.workflow_version)).schedule if before else None
    if before is not None and old is not None and newest is not None and before.workflow_version != newest.id:
        same = schedule is not None and schedule.on == old.on
        await workflows.move_gathered(work.tx, before.workflow_version, newest.id if same else None)
    if newest is None or schedule is None:
        return
    stood = Before(old, before.due, before.running) if before and old else None
    await set_first(work, newest.id, schedule, now, stood)
    if schedule.on is None:
        return
    since = before.since if before is not None and before.since is not None else now
    rows = [
        {
            "namespace": namespace,
            "workflow_version": newest.id,
            "filter": wanted,
            "need": "all" if schedule.on.mode == "all" else "any",
            "since": since,
            "caught_up": True,
        }
        for wanted in starter_filters(schedule.on, work.host)
    ]
    await events.subscribe(work.tx, rows)


def starter_filters(strategy: Strategy, host: Host) -> tuple[AwaitFilter, ...]:
    """The filters of a ``schedule.on``: there is no execution yet, so expressions see no variables."""
    return tuple(
        AwaitFilter(
            index=index,
            with_={
                name: _value(template, host)
                for name, template in wanted.with_.items()
                if not isinstance(template, Expression)
            },
            expressions={
                name: template.source for name, template in wanted.with_.items() if isinstance(template, Expression)
            },
            correlate={
                key: AwaitCorrelation(
                    from_=correlation.from_.source,
                    known=correlation.expect is not None,
                    expect=None if correlation.expect is None else _value(correlation.expect, host),
                )
                for key, correlation in wanted.correlate.items()
            },
        )
        for index, wanted in enumerate(strategy.filters or (EventFilter(with_={}),))
    )


def _value(template: Template, host: Host) -> JSON:
    return alone(template, lambda program: _ask(host, program))


def _ask(host: Host, program: str) -> JSON:
    try:
        return host.evaluate(program, None, {}, Millis(0))
    except ExpressionFailed:
        return None


def types_of(plan: Plan) -> set[str | None]:
    """The literal event types that any listener of the document may want; ``None`` stands for any type."""
    found: set[str | None] = set()
    for strategy in _strategies(plan):
        for wanted in strategy.filters or (EventFilter(with_={}),):
            template = wanted.with_.get("type")
            literal = template.value if isinstance(template, Literal_) else None
            found.add(literal if isinstance(literal, str) and not literal.startswith("regex:") else None)
    return {None} if None in found else found


def _strategies(noun: object) -> Iterator[Strategy]:
    """Every strategy in a plan, wherever a task holds one."""
    if isinstance(noun, Strategy):
        yield noun
    if isinstance(noun, Literal_ | Expression):
        return
    if isinstance(noun, msgspec.Struct):
        for name in noun.__struct_fields__:
            if name != "definition":
                yield from _strategies(getattr(noun, name))
    elif isinstance(noun, tuple | list):
        for item in noun:
            yield from _strategies(item)
    elif isinstance(noun, dict):
        for item in noun.values():
            yield from _strategies(item)
