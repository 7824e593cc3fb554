"""Flow: where ``then`` leads, which tasks nothing leads to, and what a switch does when no case matches."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.dsl.keywords import DIRECTIVES, keyword_of
from lowtide.dsl.lint.lists import Listed, tasks_of
from lowtide.dsl.normalise.draft import NOTHING
from lowtide.dsl.problem import Report
from lowtide.dsl.tree import Entry, Node

__all__ = ["empty_lists", "switch_defaults", "unknown_targets", "unreachable_tasks"]


def _directives(task: Node) -> Iterator[Node]:
    """Every ``then`` of a task: its own, its cases', its ``catch``'s."""
    for node in (task.get("then"), task.get("catch", "then")):
        if node is not None:
            yield node
    for case in (task.get("switch") or NOTHING).entries():
        then = case.node.get("then")
        if then is not None:
            yield then


def unknown_targets(root: Node, lists: list[Listed], report: Report) -> None:
    elsewhere = {name for listed in lists for name in listed.names}
    for listed in lists:
        for entry in listed.entries:
            for then in _directives(entry.node):
                if then.text is None or not then.text.strip() or then.text in DIRECTIVES:
                    continue
                if listed.kind in ("branches", "function"):
                    report.error(
                        then.mark,
                        f"'{then.text}' cannot follow: {_alone(listed)}",
                        "put both tasks into a do: list, or write continue, exit or end",
                    )
                elif then.text not in listed.names:
                    _unknown(then, listed, elsewhere, report)


def _alone(listed: Listed) -> str:
    return "the branches of a fork run at once" if listed.kind == "branches" else "a function is a single task"


def _unknown(then: Node, listed: Listed, elsewhere: set[str], report: Report) -> None:
    name = then.text or ""
    meant = report.suggest(name, [*listed.names, *DIRECTIVES])
    if name in elsewhere:
        message = f"the task '{name}' is in another list, and 'then' stays in its own"
        mend = "name a task beside this one, or leave the list with exit"
    else:
        message = f"there is no task '{name}' beside this one"
        mend = f"did you mean '{meant}'?" if meant else "name a task of the same list, or continue, exit or end"
    report.error(then.mark, message, mend)


def unreachable_tasks(root: Node, lists: list[Listed], report: Report) -> None:
    for listed in lists:
        if listed.kind in ("branches", "function") or not listed.entries:
            continue
        places = {entry.name: place for place, entry in reversed(list(enumerate(listed.entries)))}
        targets = {then.text for entry in listed.entries for then in _directives(entry.node)}
        if targets - places.keys() - set(DIRECTIVES):
            continue  # a target is misspelt: where it leads is not known
        following = [_following(listed.entries, place, places) for place in range(len(listed.entries))]
        reached, waiting = {0}, [0]
        while waiting:
            fresh = {place for place in following[waiting.pop()] if place < len(following)} - reached
            reached |= fresh
            waiting += fresh
        for place, entry in enumerate(listed.entries):
            after_unreached = place - 1 not in reached and place in following[place - 1]
            if place not in reached and not after_unreached:
                report.warn(
                    entry.mark, f"no path leads to the task '{entry.name}'", "remove it, or lead to it with a 'then'"
                )


def _following(entries: list[Entry], place: int, places: dict[str, int]) -> set[int]:
    """Where the flow may go after a task."""
    task = entries[place].node
    keyword = keyword_of(task.value)
    found: set[int] = set()

    def follow(then: Node | None) -> None:
        name = (then.text if then is not None else None) or "continue"
        if name == "continue":
            found.add(place + 1)
        elif name in places:
            found.add(places[name])

    if task.get("if") is not None:
        found.add(place + 1)
    if keyword == "switch":
        cases = list((task.get("switch") or NOTHING).entries())
        for case in cases:
            follow(case.node.get("then"))
        if all(case.node.get("when") is not None for case in cases):
            follow(task.get("then"))
    elif keyword != "raise":
        follow(task.get("then"))
        if task.get("catch", "then") is not None:
            follow(task.get("catch", "then"))
    return found


def switch_defaults(root: Node, lists: list[Listed], report: Report) -> None:
    for task in tasks_of(lists, "switch"):
        cases = list((task.node.get("switch") or NOTHING).entries())
        defaults = [case for case in cases if case.node.is_mapping and case.node.get("when") is None]
        for extra in defaults[1:]:
            report.error(
                extra.mark,
                f"a second default case '{extra.name}', the first is '{defaults[0].name}' in line "
                f"{defaults[0].mark[0]}",
                "give one of them a 'when', or remove it",
            )
        if len(defaults) == 1 and defaults[0] is not cases[-1]:
            report.warn(
                defaults[0].mark,
                f"the default case '{defaults[0].name}' does not stand last",
                "move it to the end: the cases after it come before it",
            )


def empty_lists(root: Node, lists: list[Listed], report: Report) -> None:
    for listed in lists:
        if listed.node.is_list and not listed.node.items:
            owner = f"of '{listed.owner}'" if listed.owner else "of the document"
            report.warn(
                listed.node.mark, f"the list '{listed.kind}' {owner} holds no task", "add one, or remove what holds it"
            )
