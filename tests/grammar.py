"""Any document that the grammar allows, made from the grammar's own models.

The strategy walks the fields of ``lowtide.dsl.models``: a key that is added to a model is drawn from then on, and a
value with a form of its own that is not known here is an error. What the grammar cannot say (names that exist,
variables that are visible) is arranged, so that every document has a plan.
"""

from __future__ import annotations

import types
import typing
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from lowtide.dsl.models import (
    built,
    composite,
    error,
    event,
    resource,
    run,
    simple,
    workflow,
)
from lowtide.dsl.models.calls import a2a, asyncapi, mcp
from lowtide.dsl.models.task import TaskBase
from tests.drawn import BESIDE, DATA, FIELDS, FILTERED, FORMS, KNOWN, NAMES, TEXTS, WHOLE
from tests.shapes import has_name, holds_tasks, is_entry, is_not_empty, key_of, least, models_below, without_name

__all__ = ["Seen", "documents", "wholes"]

# ---------------------------------------------------------------- the walk


@dataclass
class Seen:
    """How often each field of each model was drawn."""

    fields: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass
class _Walk:
    draw: st.DrawFn
    seen: Seen
    tasks: int
    """How many tasks may still be drawn."""
    whole: type[BaseModel] | None = None
    """The model that is drawn with all that it may have."""
    pinned: bool = False
    """Below an address that is fetched before anything runs: it is not computed, and needs secrets alone."""

    def value(self, type_: Any, metadata: tuple[Any, ...] = (), depth: int = 3) -> Any:
        if typing.get_origin(type_) is typing.Annotated:
            inner, *more = typing.get_args(type_)
            return self.value(inner, (*more, *metadata), depth)
        for mark in metadata:
            if isinstance(mark, AfterValidator | BeforeValidator) and mark.func.__name__ in FORMS:
                return self._form(mark.func.__name__)
        origin = typing.get_origin(type_)
        if origin in (typing.Union, types.UnionType):
            return self._choice(type_, depth)
        if origin is Literal:
            return self.draw(st.sampled_from(typing.get_args(type_)))
        if origin is list:
            return self._list(typing.get_args(type_)[0], metadata, depth)
        if origin is dict:
            return self._mapping(typing.get_args(type_)[1], metadata, depth)
        if isinstance(type_, type) and issubclass(type_, BaseModel):
            return self._model(type_, depth)
        return self.draw(_PLAIN[type_])

    def _form(self, name: str) -> Any:
        if self.pinned and name == "_uri":
            return "https://example.com/fixed"
        return self.draw(FORMS[name])

    def _choice(self, type_: Any, depth: int) -> Any:
        members = [member for member in typing.get_args(type_) if member is not type(None)]
        if depth <= 0:
            members = [member for member in members if not holds_tasks(member)] or members
        return self.value(self.draw(st.sampled_from(members)), (), depth)

    def _list(self, item: Any, metadata: tuple[Any, ...], depth: int, *, alone: bool = False) -> list[Any]:
        if is_entry(item):
            return self._entries(item, depth, alone=alone)
        fewest = least(metadata)
        return [self.value(item, (), depth - 1) for _ in range(self.draw(st.integers(fewest, max(fewest, 2))))]

    def _entries(self, item: Any, depth: int, *, alone: bool) -> list[Any]:
        """Tasks, cases, extensions: mappings with one key, whose names differ."""
        inner = typing.get_args(typing.get_args(item)[0])[1]
        names = self.draw(st.lists(NAMES, min_size=1, max_size=3 if self.tasks > 0 else 1, unique=True))
        made = [{name: self.value(inner, (), depth - 1)} for name in names]
        for task in (task for entry in made for task in entry.values() if inner is not simple.SwitchCase):
            self._lead(task, [] if alone else names)
        return made

    def _lead(self, task: dict[str, Any], beside: list[str]) -> None:
        """Where the task's directives name a task beside it, they get the name of one, if there may be any."""
        cases: list[dict[str, Any]] = [case for entry in task.get("switch", ()) for case in entry.values()]
        for case in cases[:-1]:
            case.setdefault("when", ".a")  # only the last one may be the default
        for directed in (task, task.get("catch", {}), *cases):
            if directed.get("then") == BESIDE:
                directed["then"] = self.draw(st.sampled_from(beside)) if beside else "continue"

    def _mapping(self, inner: Any, metadata: tuple[Any, ...], depth: int) -> dict[str, Any]:
        if inner is Any:
            return self.draw(
                st.dictionaries(TEXTS, DATA, min_size=least(metadata) or is_not_empty(metadata), max_size=3)
            )
        names = self.draw(st.lists(NAMES, max_size=2, unique=True))
        made = {name: self.value(inner, (), depth - 1) for name in names}
        for one in made.values():
            if isinstance(one, dict):
                self._lead(one, [])
        return made

    def _model(self, model: type[BaseModel], depth: int) -> dict[str, Any]:
        if issubclass(model, TaskBase):
            self.tasks -= 1
        fields = model.model_fields
        optional = [name for name, info in fields.items() if not info.is_required()]
        if model is not self.whole and (depth <= 0 or self.tasks <= 0):
            optional = [name for name in optional if not holds_tasks(fields[name].annotation)]
        most = 1 if issubclass(model, TaskBase) and self.tasks < 4 else 4
        some = st.lists(st.sampled_from(optional), max_size=most, unique=True) if optional else st.just([])
        chosen = set(optional if model is self.whole else self.draw(some))
        arrange = _ARRANGED.get(model)
        if arrange is not None:
            arrange(self, chosen)
        made: dict[str, Any] = {}
        for name, info in fields.items():
            if info.is_required() or name in chosen:
                self.seen.fields[model.__qualname__ + "@" + model.__module__, name] += 1
                pinned, self.pinned = self.pinned, self.pinned or (model, name) in _PINNED
                made[key_of(name, info)] = self._field(model, name, info, depth)
                self.pinned = pinned
        if model is run.Lifetime:
            made["cleanup"] = "eventually" if "after" in made else self.draw(st.sampled_from(["always", "never"]))
        elif model.model_config.get("extra") == "allow" and self.draw(st.booleans()):
            made["orderid"] = "7"
        return made

    def _field(self, model: type[BaseModel], name: str, info: FieldInfo, depth: int) -> Any:
        for owner in model.__mro__:
            known = FIELDS.get((owner, name))
            if known is not None:
                return self.draw(known)
        if name in _FILTER_TEXTS and model is event.FilterAttributes:
            return self.draw(FILTERED)
        annotation = info.annotation
        if (model, name) == (composite.ForkConfiguration, "branches"):
            return self._list(typing.get_args(annotation)[0], (), depth, alone=True)
        if name in _NAMED and has_name(annotation):
            if self.draw(st.integers(0, 3)) == 0:
                return "known"
            annotation = without_name(annotation)
        return self.value(annotation, tuple(info.metadata), depth)

    def one_of(self, chosen: set[str], *names: str) -> str:
        """Exactly one of ``names`` is chosen."""
        kept = self.draw(st.sampled_from([name for name in names if name in chosen] or list(names)))
        chosen -= set(names)
        chosen.add(kept)
        return kept


_NAMED: Final = frozenset({"authentication", "retry", "timeout", "error"})
_PINNED: Final = frozenset({(resource.Schema, "resource"), (resource.Catalog, "endpoint")})
_FILTER_TEXTS: Final = frozenset({"id", "source", "subject", "datacontenttype", "dataschema", "type", "time", "data"})

_PLAIN: Final[dict[Any, st.SearchStrategy[Any]]] = {
    str: TEXTS.filter(str.strip) | WHOLE,
    int: st.integers(1, 5),
    bool: st.booleans(),
    float: st.floats(0.5, 3),
    Any: DATA,
}


def _schedule(walk: _Walk, chosen: set[str]) -> None:
    if walk.one_of(chosen, "every", "cron", "after", "on") != "on":
        chosen.discard("read")


def _somewhere(walk: _Walk, chosen: set[str]) -> None:
    if not chosen & {"agent_card", "server"}:
        walk.one_of(chosen, "agent_card", "server")


def _asyncapi(walk: _Walk, chosen: set[str]) -> None:
    walk.one_of(chosen, "channel", "operation")
    walk.one_of(chosen, "message", "subscription")


def _at_least_one(model: type[BaseModel]) -> Callable[[_Walk, set[str]], None]:
    def arrange(walk: _Walk, chosen: set[str]) -> None:
        if not chosen:
            walk.one_of(chosen, *model.model_fields)

    return arrange


def _exactly_one(*names: str) -> Callable[[_Walk, set[str]], None]:
    def arrange(walk: _Walk, chosen: set[str]) -> None:
        walk.one_of(chosen, *names)

    return arrange


_ARRANGED: Final[dict[type[BaseModel], Callable[[_Walk, set[str]], None]]] = {
    workflow.Schedule: _schedule,
    run.Script: _exactly_one("code", "source"),
    resource.Schema: _exactly_one("document", "resource"),
    a2a.A2AArguments: _somewhere,
    asyncapi.AsyncApiArguments: _asyncapi,
    mcp.Transport: _exactly_one("http", "stdio"),
    error.ErrorFilter: _at_least_one(error.ErrorFilter),
    event.FilterAttributes: _at_least_one(event.FilterAttributes),
}
"""Fields that go together, or exclude each other."""


# ---------------------------------------------------------------- documents


@st.composite
def documents(draw: st.DrawFn, seen: Seen | None = None) -> dict[str, Any]:
    """A document of the whole grammar that has a plan."""
    walk = _Walk(draw, seen or Seen(), tasks=draw(st.integers(1, 8)))
    document: dict[str, Any] = walk.value(built())
    text = repr(document)
    if "known" in text or "shop" in text:
        use = document.setdefault("use", {})
        use["secrets"] = ["shop"]
        for group, known in KNOWN.items():
            use[group] = {**use.get(group, {}), **known}
    return document


@st.composite
def wholes(draw: st.DrawFn, seen: Seen) -> dict[type[BaseModel], dict[str, Any]]:
    """One value of each model of the grammar, with all that it may have at once."""
    models = sorted(models_below(built()), key=lambda model: (model.__module__, model.__qualname__))
    return {model: _Walk(draw, seen, tasks=0, whole=model).value(model, (), 1) for model in models}
