"""What the models complain about, as problems: where in the text, what was expected, how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lowtide.dsl.keywords import BASE, TASKS, keyword_of
from lowtide.dsl.models import built
from lowtide.dsl.models.base import MISTAKE, SHAPE
from lowtide.dsl.places import Crowd, Place, place_of
from lowtide.dsl.problem import LIMIT, Report, one_of
from lowtide.dsl.tree import Node

__all__ = ["validate"]

_TASK_LISTS: Final = frozenset({"do", "try", "branches", "before", "after"})
_TYPES: Final = {
    "string_type": ("text", "put it in quotes, or write a word"),
    "int_type": ("a whole number", "write digits without quotes"),
    "bool_type": ("true or false", "write true or false without quotes"),
    "list_type": ("a list", "write each entry on a line of its own that begins with '- '"),
    "dict_type": ("a mapping", "write 'key: value' lines, indented below it"),
    "model_type": ("a mapping", "write 'key: value' lines, indented below it"),
}


def validate(root: Node, report: Report) -> None:
    """Checks the document against the grammar; every mistake goes to ``report``."""
    try:
        built().model_validate(root.value)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_input=False)
        found = [(details, place_of(root, details["loc"])) for details in complaints[: LIMIT + 1]]
        meant = {
            (place.owner_mark, suggestion)
            for details, place in found
            if details["type"] == "extra_forbidden" and (suggestion := report.suggest(place.key, place.known))
        }
        for details, place in found:
            if place.crowded is not None:
                _crowded(place.crowded, report)
            elif details["type"] != "missing" or (place.owner_mark, place.key) not in meant:
                _explain(details, place, report)


def _explain(details: ErrorDetails, place: Place, report: Report) -> None:
    kind = details["type"]
    special: Callable[[ErrorDetails, Place, Report], None] | None = _SPECIAL.get(kind)
    if special is not None:
        special(details, place, report)
    elif kind in _TYPES:
        _wrong_type(details, place, report)
    else:
        said = details["msg"]
        report.error(place.mark, f"{place.quoted} is wrong: {said[:1].lower()}{said[1:]}", "write an allowed value")


def _mistake(details: ErrorDetails, place: Place, report: Report) -> None:
    context = details["ctx"]
    message: str = context["message"]
    report.error(place.mark, message, context["mend"])


def _missing(details: ErrorDetails, place: Place, report: Report) -> None:
    field = place.key
    example = place.example
    owner = f"'{place.owner}'" if place.owner else "the document"
    mend = f"add '{field}: {example}'" if example else f"add '{field}'"
    report.error(place.owner_mark, f"{owner} needs '{field}'", f"{mend} {place.below}")


def _unknown(details: ErrorDetails, place: Place, report: Report) -> None:
    known = place.known
    owner = f"'{place.owner}'" if place.owner else "the document"
    kind = keyword_of(place.parent.value) if place.is_task else None
    if kind is not None and place.key in TASKS:
        report.error(
            place.parent.key_mark(place.key),
            f"a task has one keyword, {owner} has '{kind}' and '{place.key}'",
            "make two tasks of them, each with a name of its own",
        )
        return
    meant = report.suggest(place.key, known)
    mend = f"did you mean '{meant}'?" if meant else f"remove it, or use one of {one_of(known, 20)}"
    where = f"a '{kind}' task" if kind is not None else owner
    report.error(place.parent.key_mark(place.key), f"'{place.key}' is not a key of {where}", mend)


def _shape(details: ErrorDetails, place: Place, report: Report) -> None:
    context = details["ctx"]
    if place.is_task_value:
        _no_task(place, report)
        return
    keys = context["keys"].split()
    for key in place.value if isinstance(place.value, dict) else ():
        meant = report.suggest(key, keys)
        if meant is not None and place.node is not None:
            report.error(
                place.node.key_mark(key), f"'{key}' is not a key of {place.quoted}", f"did you mean '{meant}'?"
            )
            return
    what = f"{context['expected']} in {place.quoted}" if place.key else context["expected"]
    report.error(place.mark, f"{what}, not {_described(place.value)}", context["mend"])


def _no_task(place: Place, report: Report) -> None:
    value = place.value
    if not isinstance(value, dict):
        report.error(
            place.mark,
            f"the task {place.quoted} must be a mapping, not {_described(value)}",
            f"indent what it does below its name: one of {one_of(TASKS)}",
        )
        return
    meant = next((found for key in value if key not in BASE and (found := report.suggest(key, TASKS))), None)
    mend = f"did you mean '{meant}'?" if meant else f"give it one of {one_of(TASKS)}"
    wrong = next((key for key in value if meant and report.suggest(key, TASKS) == meant), None)
    mark = place.node.key_mark(wrong) if wrong and place.node is not None else place.mark
    report.error(mark, f"the task {place.quoted} does not say what it does", mend)


def _wrong_type(details: ErrorDetails, place: Place, report: Report) -> None:
    expected, mend = _TYPES[details["type"]]
    value = place.value
    if place.is_entry and details["type"] in ("dict_type", "model_type"):
        report.error(
            place.mark,
            f"an entry of '{place.owner}' must be a name with something below it, not {_described(value)}",
            "write '- name:' and indent the rest below it",
        )
        return
    if details["type"] == "string_type" and isinstance(value, int | float):
        mend = f"put it in quotes: {place.key}: '{_written(value)}'"
    elif details["type"] == "list_type" and place.key in _TASK_LISTS and isinstance(value, dict):
        mend = "begin each task's name with '- '"
    report.error(place.mark, f"{place.quoted} must be {expected}, not {_described(value)}", mend)


def _not_one_of(details: ErrorDetails, place: Place, report: Report) -> None:
    allowed = [part.strip("'") for part in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
    value = place.value
    meant = report.suggest(value, allowed) if isinstance(value, str) else None
    mend = f"did you mean '{meant}'?" if meant else f"use one of {one_of(allowed, 20)}"
    report.error(place.mark, f"{_described(value)} is not allowed as {place.quoted}", mend)


def _too_short(details: ErrorDetails, place: Place, report: Report) -> None:
    mend = "write '- name:' with something below it" if place.is_entry else "give it at least one entry"
    report.error(place.mark, f"{place.quoted} is empty", f"{mend}, or remove it")


def _crowded(place: Crowd, report: Report) -> None:
    """A list entry with several names: most often the task's body is not indented below its name."""
    names = list(place.entry.members)
    first_is_empty = place.entry.members[names[0]].value is None
    mend = (
        f"indent what belongs to '{names[0]}' below it, by two more spaces"
        if first_is_empty
        else "begin each of them with '- ' on a line of its own"
    )
    listed = one_of(f"'{name}'" for name in names)
    report.error(
        place.entry.key_mark(names[1]), f"an entry of '{place.owner}' holds one name, this one holds {listed}", mend
    )


def _limit(details: ErrorDetails, place: Place, report: Report) -> None:
    said = details["msg"].removeprefix("Input should be ")
    report.error(place.mark, f"{place.quoted} must be {said}, not {_described(place.value)}", "write such a number")


_SPECIAL: Final[dict[str, Callable[[ErrorDetails, Place, Report], None]]] = {
    MISTAKE: _mistake,
    SHAPE: _shape,
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _not_one_of,
    "too_short": _too_short,
    "string_too_short": _too_short,
    "greater_than": _limit,
    "greater_than_equal": _limit,
    "less_than_equal": _limit,
}


def _described(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {_written(value)}"
        case str():
            return f"'{value[:60]}'"
        case list():
            return "a list"
    return "a mapping"


def _written(value: float) -> str:
    return repr(value)[:40]
