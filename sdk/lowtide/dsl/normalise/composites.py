"""Tasks that hold other tasks: do, for, fork, listen (its ``foreach``), try."""

from __future__ import annotations

from typing import Any

from lowtide.dsl.normalise import tasks as lists
from lowtide.dsl.normalise.dataflow import export_of, output_of
from lowtide.dsl.normalise.draft import NOTHING, Draft
from lowtide.dsl.normalise.events import read_of, strategy_of
from lowtide.dsl.normalise.retries import retry_of
from lowtide.dsl.normalise.scope import TaskScope
from lowtide.dsl.tree import Node
from lowtide.model.plan import Catch, Do, For, Foreach, Fork, Listen, Literal_, Try

__all__ = ["do", "for_", "foreach_of", "fork", "listen", "try_"]


def do(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Do:
    return Do(do=lists.tasks(draft, node.get("do"), f"{pointer}/do", scope), **shared)


def for_(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> For:
    loop = node.get("for") or NOTHING
    each, at = _name(loop.get("each"), "item"), _name(loop.get("at"), "index")
    inner = scope.with_local(each, at)
    return For(
        in_=draft.flow(loop.get("in"), scope.body) or Literal_([]),
        each=each,
        at=at,
        while_=draft.expression(node.get("while"), inner.body),
        do=lists.tasks(draft, node.get("do"), f"{pointer}/do", inner),
        **shared,
    )


def fork(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Fork:
    compete = node.get("fork", "compete")
    return Fork(
        branches=lists.tasks(draft, node.get("fork", "branches"), f"{pointer}/fork/branches", scope),
        compete=compete is not None and compete.value is True,
        **shared,
    )


def listen(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Listen:
    return Listen(
        to=strategy_of(draft, node.get("listen", "to"), scope.body),
        read=read_of(node.get("listen", "read")),
        foreach=foreach_of(draft, node.get("foreach"), f"{pointer}/foreach", scope),
        **shared,
    )


def foreach_of(draft: Draft, node: Node | None, pointer: str, scope: TaskScope) -> Foreach | None:
    """What is done with each consumed event or message."""
    if node is None:
        return None
    item, at = _name(node.get("item"), "item"), _name(node.get("at"), "index")
    inner = scope.with_local(item, at)
    return Foreach(
        do=lists.tasks(draft, node.get("do"), f"{pointer}/do", inner),
        item=item,
        at=at,
        output=output_of(draft, node.get("output"), inner.output),
        export=export_of(draft, node.get("export"), inner.export),
    )


def try_(draft: Draft, node: Node, scope: TaskScope, pointer: str, shared: dict[str, Any]) -> Try:
    catch = node.get("catch") or NOTHING
    filter_, then = catch.get("errors", "with"), catch.get("then")
    as_ = _name(catch.get("as"), "error")
    inner = scope.with_local(as_)
    return Try(
        try_=lists.tasks(draft, node.get("try"), f"{pointer}/try", scope),
        catch=Catch(
            errors=dict(filter_.value) if filter_ is not None and filter_.is_mapping else {},
            as_=as_,
            when=draft.expression(catch.get("when"), inner.body),
            except_when=draft.expression(catch.get("exceptWhen"), inner.body),
            retry=retry_of(draft, catch.get("retry"), inner.body),
            do=lists.tasks(draft, catch.get("do"), f"{pointer}/catch/do", inner),
            then=then.text if then is not None else None,
        ),
        **shared,
    )


def _name(node: Node | None, default: str) -> str:
    """A variable's name; written with or without its ``$``."""
    text = node.text if node is not None else None
    return text.removeprefix("$") if text else default
