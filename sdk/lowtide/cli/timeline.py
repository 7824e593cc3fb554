"""``lowtide timeline``: what one execution went through, task by task."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import typer

from lowtide.cli import exits
from lowtide.cli.server import DEFAULT_SERVER, Form, Namespace, Output, Server, ask_analytics
from lowtide.cli.shown import MARKS, show_json, show_table
from lowtide.clients.analytics import Analytics
from lowtide.model.base import JSON

__all__ = ["timeline", "took", "what_of"]

_PAGE: Final = 1000

_Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]
_Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many tasks: the first.")]


def timeline(
    execution: _Id,
    limit: _Limit = 1000,
    output: Output = Form.text,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Show the tasks of one execution with their attempts and waits, its invocations and its children."""

    async def both(api: Analytics) -> tuple[dict[str, JSON], dict[str, JSON]]:
        return await _timeline(api, namespace, execution, limit), await _execution(api, namespace, execution)

    found, about = ask_analytics(server, both)
    if output is Form.json:
        show_json(found)
        return
    _show(found, about)
    if found["next"]:
        exits.say(f"there are more than {limit} tasks: --limit {10 * limit}")


async def _timeline(api: Analytics, namespace: str, execution: str, limit: int) -> dict[str, JSON]:
    """As many pages as it takes, as one."""
    whole = await api.timeline(namespace, execution, limit=min(limit, _PAGE))
    while whole["next"] and len(whole["items"]) < limit:
        rest = min(limit - len(whole["items"]), _PAGE)
        page = await api.timeline(namespace, execution, limit=rest, cursor=whole["next"])
        whole = {**page, "items": [*whole["items"], *page["items"]]}
    return whole


async def _execution(api: Analytics, namespace: str, execution: str) -> dict[str, JSON]:
    """Empty where analytics knows nothing of it but its tasks."""
    from lowtide.errors import NotFound

    try:
        return await api.execution(namespace, execution)
    except NotFound:
        return {}


def _show(found: dict[str, JSON], about: dict[str, JSON]) -> None:
    if about:
        print(f"{about['workflow']} {about['version']}  {about['phase']}  {about['id']}  {took(about['durationMs'])}")
    rows = [row for entry in found["items"] for row in _rows(entry, found["items"][0]["startedAt"])]
    if rows:
        print()
        show_table(("TASK", "STATUS", "BEGAN", "TOOK", "WHAT"), rows)
    if found["invocations"]:
        print()
        show_table(("INVOCATION", "BEGAN", "ACTIVE", "QUEUED", "COLD START", "EFFECTS"), _invocations(found))
    if found["children"]:
        print()
        children = [
            (child["id"], f"{child['workflow']} {child['version']}", child["phase"], took(child["durationMs"]))
            for child in found["children"]
        ]
        show_table(("CHILD", "WORKFLOW", "PHASE", "TOOK"), children)


def _rows(entry: dict[str, JSON], first: str) -> list[tuple[str, ...]]:
    """The entry, and below it its attempts."""
    indent = "  " * max(_depth(entry["reference"]) - 1, 0)
    attempt = f" (attempt {entry['attempt']})" if entry["attempt"] > 1 else ""
    name = f"{indent}{MARKS.get(entry['status'], ' ')} {entry['name']}{attempt}"
    rows: list[tuple[str, ...]] = [
        (name, entry["status"], _since(first, entry["startedAt"]), took(entry["durationMs"]), _what(entry))
    ]
    for one in entry["attempts"]:
        failed = f"{_error(one['error'])}" if one["error"] else "ended" if one["endedAt"] else ""
        again = f"; again after {took(one['backoffMs'])}" if one["backoffMs"] is not None else ""
        began, lasted = _since(first, one["startedAt"]), _between(one["startedAt"], one["endedAt"])
        rows.append((f"{indent}    attempt {one['number']}", "", began, lasted, failed + again))
    return rows


def _depth(reference: str) -> int:
    return sum(1 for part in reference.split("/") if part.isdecimal())


def _what(entry: dict[str, JSON]) -> str:
    if entry["error"] and not entry["attempts"]:
        return _error(entry["error"])
    if entry["waits"]:
        return what_of(entry["waits"][-1]["what"])
    if entry["effect"]:
        return f"{entry['effect']} {took(entry['activeMs'])}"
    return ""


def what_of(what: dict[str, JSON]) -> str:
    """What a task waits or waited for, in a few words."""
    until = f" until {what['until']}" if what.get("until") else ""
    match what.get("kind"):
        case "timer":
            return f"waited{until}"
        case "events":
            filters = ", ".join(_filter(one) for one in what.get("filters") or []) or "any event"
            return f"listened for {what.get('need', 'any')} of {filters}"
        case "callback":
            return f"waited for a callback{until}"
        case "task":
            return f"asked {what.get('assignee', '')}: {what.get('title', '')}{until}"
        case "workflow":
            return f"ran {what.get('namespace', '')}/{what.get('workflow', '')} {what.get('version', '')}".rstrip()
        case "container":
            return f"ran container {what.get('image', '')}"
        case _:
            return ""


def _filter(one: dict[str, JSON]) -> str:
    attributes = [str(value) if name == "type" else f"{name} {value}" for name, value in one.get("with", {}).items()]
    attributes += [f"{name} {source}" for name, source in one.get("where", {}).items()]
    attributes += [f"{key} = {value}" for key, value in one.get("correlate", {}).items()]
    return " ".join(attributes) or "any event"


def _error(error: dict[str, JSON]) -> str:
    kind = str(error.get("type", "")).rpartition("/")[2]
    said = error.get("detail") or error.get("title") or ""
    return " ".join(f"{kind} {error.get('status', '')} {said}".split())


def _invocations(found: dict[str, JSON]) -> list[tuple[str, ...]]:
    first = found["items"][0]["startedAt"] if found["items"] else found["invocations"][0]["startedAt"]
    return [
        (
            str(one["epoch"]),
            _since(first, one["startedAt"]),
            took(one["activeMs"]),
            took(one["queueingMs"]),
            took(one["coldStartMs"]) if one["coldStart"] else "-",
            ", ".join(f"{kind} {count}" for kind, count in one["effectKinds"].items()) or "-",
        )
        for one in found["invocations"]
    ]


def took(millis: float | None) -> str:
    """A length of time as people read it; ``-`` where there is none yet."""
    if millis is None:
        return "-"
    if millis < 1000:
        return f"{millis:.0f} ms" if millis >= 10 or millis == 0 else f"{millis:.1f} ms"
    seconds = millis / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _between(start: str, end: str | None) -> str:
    if end is None:
        return "-"
    return took((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() * 1000)


def _since(first: str, moment: str) -> str:
    return "+" + _between(first, moment) if moment >= first else moment
