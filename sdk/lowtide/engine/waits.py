"""What a task waits for, as the history shows it: a few words of its command, and bounded, whatever the document says.

    kind       what else is there
    timer      purpose (wait, retry), until
    events     need (any, all), filters: each with, where (jq by attribute) and correlate, as far as they say anything
    callback   id, until
    task       title, assignee, until: somebody is asked
    workflow   namespace, workflow, version
    container  image

``until`` is ISO 8601 text.
"""

from __future__ import annotations

from typing import Final

from lowtide.model.base import JSON, iso
from lowtide.model.command import Ask, Await, AwaitFilter, Command, RunChild, RunContainer, Sleep

__all__ = ["wait_of"]

_MOST_FILTERS: Final = 20
_LONGEST: Final = 200
"""Characters of one text."""


def wait_of(command: Command) -> dict[str, JSON]:
    """Of a passive command; of any other there is nothing to say."""
    match command:
        case Sleep(until=until, purpose=purpose):
            return {"kind": "timer", "purpose": purpose, "until": iso(until)}
        case Await(ask=Ask() as ask):
            return _asked(ask)
        case Await(need=need, filters=filters):
            shown = [_filter(one) for one in filters[:_MOST_FILTERS]]
            return {"kind": "events", "need": need, "filters": shown}
        case RunChild(namespace=namespace, workflow=workflow, version=version):
            named: dict[str, JSON] = {"kind": "workflow", "namespace": _brief(namespace), "workflow": _brief(workflow)}
            return named if version is None else {**named, "version": _brief(version)}
        case RunContainer(container=container):
            return {"kind": "container", "image": _brief(container.image)}
        case _:
            return {}


def _asked(ask: Ask) -> dict[str, JSON]:
    until: dict[str, JSON] = {} if ask.until is None else {"until": iso(ask.until)}
    if ask.task is None:
        return {"kind": "callback", "id": _brief(ask.key), **until}
    return {"kind": "task", "title": _brief(ask.task.title), "assignee": _brief(ask.task.assignee), **until}


def _filter(wanted: AwaitFilter) -> dict[str, JSON]:
    known = {key: one.expect for key, one in wanted.correlate.items() if one.known}
    members = {"with": wanted.with_, "where": wanted.expressions, "correlate": known}
    return {
        name: {_brief(key): _short(value) for key, value in found.items()} for name, found in members.items() if found
    }


def _short(value: JSON) -> JSON:
    """What an attribute must be: nearly always a short text. Data of some depth is only told to be there."""
    if isinstance(value, str):
        return _brief(value)
    return f"({type(value).__name__} of {len(value)})" if isinstance(value, dict | list) else value


def _brief(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
