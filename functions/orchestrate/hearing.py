"""Who hears lifecycle events, as pure functions: no workflow may keep itself running without saying so.

A filter hears those whose type it names, letter by letter: not by a regular expression, not by leaving the type out. An
execution never hears of itself. And no event starts an execution of the workflow that it is about, or of any workflow
where it is an echo (it tells of an execution that follows from a lifecycle event itself), unless the filter names the
workflow that it wants to hear of (``lowtideworkflow``): then its author has asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from lowtide.model.base import JSON
from lowtide.model.command import AwaitFilter
from lowtide.wire.types import Extension, is_lifecycle

__all__ = ["hears", "is_echo", "starts"]


def hears(wanted: AwaitFilter, event: Mapping[str, JSON], execution: str) -> bool:
    """Whether a listener of ``execution`` may be shown the event."""
    if not is_lifecycle(str(event["type"])):
        return True
    return wanted.with_.get("type") == event["type"] and event.get(Extension.execution) != execution


def starts(wanted: AwaitFilter, event: Mapping[str, JSON], namespace: str, workflow: str) -> bool:
    """Whether the event may start an execution of this workflow."""
    if not is_lifecycle(str(event["type"])):
        return True
    if wanted.with_.get("type") != event["type"]:
        return False
    if Extension.workflow in wanted.with_:
        return True
    own = (event.get(Extension.namespace), event.get(Extension.workflow)) == (namespace, workflow)
    return not own and not _marked(event)


def is_echo(event: Mapping[str, JSON]) -> bool:
    """Whether what the event starts follows from a lifecycle event."""
    return is_lifecycle(str(event["type"])) or _marked(event)


def _marked(event: Mapping[str, JSON]) -> bool:
    return event.get(Extension.echo) in ("true", True)
