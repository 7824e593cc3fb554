"""A plan as a tree for a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.tree import Tree

from lowtide.dsl.draw.labels import detail, duration_text, kind_of
from lowtide.model.duration import write
from lowtide.model.plan import Do, For, Fork, Listen, Plan, Schedule, Switch, Task, Try

__all__ = ["tree"]


def tree(plan: Plan) -> Tree:
    """The workflow's tasks, composites as branches."""
    root = Tree(f"[bold]{escape(plan.name)}[/] [dim]{escape(f'{plan.namespace} {plan.version}')}[/]")
    if plan.schedule is not None:
        root.add(f"[dim]schedule {escape(_schedule(plan.schedule))}[/]")
    _tasks(root, plan.do)
    return root


def _schedule(schedule: Schedule) -> str:
    if schedule.every is not None:
        return f"every {write(schedule.every)}"
    if schedule.after is not None:
        return f"{write(schedule.after)} after each end"
    return f"cron {schedule.cron}" if schedule.cron is not None else "on events"


def _tasks(branch: Tree, tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        _inside(branch.add(_label(task)), task)


def _label(task: Task) -> str:
    label = f"[bold]{escape(task.name)}[/] [cyan]{kind_of(task)}[/]"
    what = detail(task)
    if what:
        label += f" {escape(what)}"
    if task.if_ is not None:
        label += f" [yellow]if {escape(task.if_.source)}[/]"
    if task.timeout is not None:
        label += f" [dim]within {escape(duration_text(task.timeout))}[/]"
    if task.then != "continue":
        label += f" [magenta]→ {escape(task.then)}[/]"
    return label


def _inside(branch: Tree, task: Task) -> None:
    match task:
        case Do() | For():
            _tasks(branch, task.do)
        case Fork():
            _tasks(branch, task.branches)
        case Listen() if task.foreach is not None and task.foreach.do:
            _tasks(branch.add(f"[dim]for each {escape(task.foreach.item)}[/]"), task.foreach.do)
        case Switch():
            for case in task.cases:
                when = f" [yellow]when {escape(case.when.source)}[/]" if case.when is not None else " [dim]else[/]"
                branch.add(f"{escape(case.name)}{when} [magenta]→ {escape(case.then)}[/]")
        case Try():
            _tasks(branch.add("[dim]try[/]"), task.try_)
            then = f" [magenta]→ {escape(task.catch.then)}[/]" if task.catch.then else ""
            _tasks(branch.add(f"[dim]catch {escape(task.catch.as_)}[/]{then}"), task.catch.do)
