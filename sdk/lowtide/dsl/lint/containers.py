"""Containers that could never be run, or not everywhere."""

from __future__ import annotations

from lowtide.dsl.lint.lists import Listed, tasks_of
from lowtide.dsl.problem import Report
from lowtide.dsl.templates import whole
from lowtide.dsl.tree import Node
from lowtide.model.container import VOLUME, is_port

__all__ = ["container_arguments"]


def container_arguments(root: Node, lists: list[Listed], report: Report) -> None:
    for task in tasks_of(lists, "run"):
        container = task.node.get("run", "container")
        if container is None:
            continue
        _volumes(container.get("volumes"), report)
        _ports(container.get("ports"), report)
        stdin = container.get("stdin")
        if stdin is not None and container.get("command") is None:
            mend = "name the command that reads it"
            report.warn(stdin.mark, "on Kubernetes 'stdin' needs 'command'", mend)


def _volumes(volumes: Node | None, report: Report) -> None:
    for name, mark in volumes.keys.items() if volumes is not None else ():
        if not VOLUME.fullmatch(name):
            mend = "name a volume (a-z, 0-9, -): folders of the machine are never mounted"
            report.warn(mark, f"'{name}' cannot be a volume's name", mend)


def _ports(ports: Node | None, report: Report) -> None:
    for outside, inside in ports.members.items() if ports is not None else ():
        literal = inside.text is None or whole(inside.text) is None
        if not is_port(outside) or (literal and not is_port(inside.value)):
            mend = "map a port of the machine to one of the container: {8080: 80}"
            report.warn(inside.mark, "this is not a pair of ports (1 to 65535)", mend)
