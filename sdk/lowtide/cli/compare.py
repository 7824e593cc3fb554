"""``lowtide compare``: what differs between two executions."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from lowtide.cli.server import DEFAULT_SERVER, Form, Namespace, Output, Server, ask_analytics
from lowtide.cli.shown import show_json, show_table
from lowtide.cli.timeline import took
from lowtide.model.base import JSON

__all__ = ["compare"]

_A = Annotated[str, typer.Argument(metavar="A", help="An execution's id.")]
_B = Annotated[str, typer.Argument(metavar="B", help="That of the one that is compared with it.")]
_Prices = Annotated[str | None, typer.Option(metavar="NAME", help="A price list that the server knows.")]

_QUANTITIES: Final = {
    "durationMs": "duration",
    "activeMs": "active",
    "queueingMs": "queueing",
    "coldStartMs": "cold starts took",
    "cpuMs": "processor",
}


def compare(
    a: _A,
    b: _B,
    prices: _Prices = None,
    output: Output = Form.text,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Show what differs between two executions: where their paths part, tasks, usage, cost, and their versions.

    Differences are those of B less A: +2.0 s is what B took longer.
    """
    found = ask_analytics(server, lambda api: api.compare(namespace, a, b, prices=prices))
    if output is Form.json:
        show_json(found)
        return
    for name in ("a", "b"):
        side = found[name]
        print(f"{name.upper()}  {side['workflow']} {side['version']}  {side['phase'] or ''}  {side['id']}")
    _show_path(found)
    _show_quantities(found)
    _show_tasks(found["tasks"])
    _show_definition(found["definition"])
    if not (found["tasks"] or found["difference"] or found["diverged"]):
        print("\nnothing differs")


def _show_path(found: dict[str, JSON]) -> None:
    diverged = found["diverged"]
    if diverged is None:
        print("\nboth went the same way")
        return
    print("\nthey part here:")
    for name in ("a", "b"):
        reached = diverged[name]
        if reached is None:
            print(f"  {name.upper()}  entered nothing more there")
        else:
            after = f", after {reached['after']}" if reached["after"] else ""
            print(f"  {name.upper()}  {reached['reference']} {reached['status']}{after}")


def _show_quantities(found: dict[str, JSON]) -> None:
    sides = found["a"]["quantities"], found["b"]["quantities"]
    rows = []
    for name, by in found["difference"].items():
        values = [side.get(name, 0) for side in sides]
        cells = [took(one) for one in values] if name in _QUANTITIES else [f"{one:.6g}" for one in values]
        change = _changed(by) if name in _QUANTITIES else f"{by:+.6g}"
        rows.append((_QUANTITIES.get(name, name), *cells, change))
    if rows:
        print()
        show_table(("USAGE", "A", "B", "DIFFERENCE"), rows)


def _show_tasks(tasks: list[dict[str, JSON]]) -> None:
    if not tasks:
        return
    print()
    rows = [
        (
            (task["b"] or task["a"])["reference"],
            _side(task["a"]),
            _side(task["b"]),
            _changed(task["difference"].get("durationMs", 0)),
        )
        for task in tasks
    ]
    show_table(("TASK", "A", "B", "DIFFERENCE"), rows)


def _side(side: dict[str, JSON] | None) -> str:
    if side is None:
        return "did not run"
    runs = f" x{side['runs']}" if side["runs"] > 1 else ""
    retries = f", {side['retries']} retries" if side["retries"] else ""
    return f"{side['status']}{runs} {took(side['durationMs'])}{retries}"


def _show_definition(definition: dict[str, JSON] | None) -> None:
    if definition is None:
        return
    print("\nbetween the versions:")
    for name in ("added", "removed"):
        for reference in definition[name]:
            print(f"  {name:8} {reference}")
    for name in ("moved", "changed"):
        for before, after in definition[name]:
            print(f"  {name:8} {before} -> {after}" if before != after else f"  {name:8} {before}")
    if not any(definition.values()):
        print("  no task differs")


def _changed(millis: float) -> str:
    return f"{'-' if millis < 0 else '+'}{took(abs(millis))}" if millis else ""
