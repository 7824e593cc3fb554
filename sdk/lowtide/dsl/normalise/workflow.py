"""The whole document as a plan."""

from __future__ import annotations

from collections.abc import Callable

from lowtide.dsl.normalise.dataflow import input_of, output_of
from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.events import schedule_of
from lowtide.dsl.normalise.outside import catalogs_of
from lowtide.dsl.normalise.retries import retry_of
from lowtide.dsl.normalise.scope import Scope, TaskScope
from lowtide.dsl.normalise.tasks import escaped, task, tasks
from lowtide.dsl.normalise.values import authentication, structure, timeout
from lowtide.dsl.tree import Entry, Node
from lowtide.model.ours import durability_of
from lowtide.model.plan import Extension, Plan, Template

__all__ = ["make_plan"]


def make_plan(draft: Draft) -> Plan:
    """The plan of a document; of a malformed one, something that only serves to find its expressions."""
    root, scope = draft.root, TaskScope()
    document = root.get("document") or NOTHING
    names = {key: (document.get(key) or NOTHING).text or "" for key in ("dsl", "namespace", "name", "version")}
    secrets = draft.use.get("secrets") or NOTHING
    endpoints = _catalogs(draft)
    if draft.origin is None:
        draft.catalogs = catalogs_of(draft, endpoints)
    made = Plan(
        **names,
        do=tasks(draft, root.get("do"), "/do", scope),
        definition=root.value,
        input=input_of(draft, root.get("input"), TaskScope.start()),
        output=output_of(draft, root.get("output"), TaskScope.end()),
        timeout=timeout(draft, root.get("timeout"), TaskScope.start()),
        schedule=schedule_of(draft, root.get("schedule")),
        functions={
            name: task(draft, name, node, f"/use/functions/{escaped(name)}", scope)
            for name, node in (draft.use.get("functions") or NOTHING).members.items()
        },
        catalogs=endpoints,
        extensions=tuple(_extension(draft, entry) for entry in (draft.use.get("extensions") or NOTHING).entries()),
        secrets=tuple(item.text for item in secrets.items if item.text is not None),
        mode="loose" if draft.loose else "strict",
        durability=durability_of(root.value),
    )
    _visit_unused(draft)
    return made


def _visit_unused(draft: Draft) -> None:
    """Definitions that nothing refers to are made too, and dropped, so that their expressions are checked."""
    scope = TaskScope().with_local("error").body
    makers: dict[str, Callable[[Draft, Node, Scope], object]] = {
        "authentications": authentication,
        "errors": lambda draft, node, scope: draft.template(node, scope, lenient=False),
        "retries": retry_of,
        "timeouts": timeout,
    }
    for group, make in makers.items():
        for name, node in (draft.use.get(group) or NOTHING).members.items():
            if (group, name) not in draft.used and node.is_mapping:
                make(draft, node, scope)


def _catalogs(draft: Draft) -> dict[str, Template]:
    """The endpoints of the catalogs."""
    catalogs = draft.use.get("catalogs") or NOTHING
    return {
        name: structure(draft, node.get("endpoint") or NOTHING, TaskScope().body)
        for name, node in catalogs.members.items()
    }


def _extension(draft: Draft, entry: Entry) -> Extension:
    node, scope = entry.node, TaskScope()
    pointer = f"/use/extensions/{entry.index}/{escaped(entry.name)}"
    extend = node.get("extend")
    return Extension(
        name=entry.name,
        extend=(extend.text if extend is not None else None) or "all",
        when=draft.expression(node.get("when"), scope.body),
        before=tasks(draft, node.get("before"), f"{pointer}/before", scope),
        after=tasks(draft, node.get("after"), f"{pointer}/after", scope),
    )
