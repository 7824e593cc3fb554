"""Lifecycle events as scenarios see them."""

from __future__ import annotations

from typing import Any

from tests.conformance.comparing import contains

__all__ = ["check_data", "check_identities", "line_of", "times_in"]


def check_data(told: list[dict[str, Any]], name: str, expected: dict[str, Any]) -> None:
    """The newest event of this name has this data, a name and a time, and nothing else."""
    found = [event["data"] for event in told if line_of(event).partition(" ")[0] == name]
    assert found, f"there is none; they were {[line_of(event) for event in told]}"
    assert contains(found[-1], expected), f"its data is {found[-1]!r}"
    more = set(found[-1]) - set(expected)
    assert more <= {"name", "workflow"} | times_in(found[-1]), f"its data is {found[-1]!r}"


def check_identities(told: list[dict[str, Any]]) -> None:
    """Ids are unique, names and sources are those of the execution, and ``sequence`` is the order."""
    ids = [event["id"] for event in told]
    assert len(set(ids)) == len(ids), f"they are {ids}"
    for kind in ("workflow", "task"):
        sequence = [event["sequence"] for event in told if f".{kind}." in event["type"]]
        assert sequence == sorted(sequence), f"they are {sequence}"
    for event in told:
        name = event["data"].get("name") or event["data"]["workflow"]
        assert name == f"sample-{event['lowtideexecution']}.features"
        assert event["source"] == "/lowtide/features/sample"
        assert event["subject"] == event["lowtideexecution"] + event["data"].get("task", "")
        assert event["time"] in [event["data"][key] for key in times_in(event["data"])]


def line_of(event: dict[str, Any]) -> str:
    """The end of its type, and, of a task, its name."""
    name = event["type"].removeprefix("io.serverlessworkflow.").removesuffix(".v1")
    task = event["data"].get("task")
    return name if task is None else f"{name} {task}"


def times_in(data: dict[str, Any]) -> set[str]:
    return {key for key in data if key.endswith("At")}
