"""jq's own verdict on expressions.

Compiling one program costs about a millisecond, most of it for jq's builtins, so that many expressions are compiled
at once and only the programs that fail are taken apart. Brackets and quotes are balanced before (``jqlex``), so that
no expression can reach into its neighbour.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import jq

from lowtide.dsl.jqlex import lex
from lowtide.dsl.normalise.draft import Site
from lowtide.dsl.problem import one_of, suggest

__all__ = ["syntax_errors"]

_BATCH: Final = 100
_BATCH_TEXT: Final = 8_000
_MOST: Final = 100
"""Expressions with mistakes that are explained: each costs several compilations."""

_WHERE: Final = re.compile(r"at <top-level>, line (\d+)(?:, column (\d+))?")
_UNDEFINED: Final = re.compile(r"([A-Za-z_][\w:]*)/(\d+) is not defined")
_LABEL: Final = re.compile(r"\$\*label-(\w+) is not defined")


def syntax_errors(sites: list[Site]) -> Iterator[tuple[Site, int, str, str]]:
    """Each expression that jq refuses: its site, the offset of the mistake in it, message, mend."""
    by_source: dict[str, list[Site]] = {}
    for site in sites:
        by_source.setdefault(site.expression.source, []).append(site)
    bad = (source for batch in _batches(by_source) for source in _refused(batch))
    for source in itertools.islice(bad, _MOST):
        offset, message, mend = _explain(source)
        for site in by_source[source]:
            yield site, offset, message, mend


def _batches(sources: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    length = 0
    for source in sources:
        batch.append(source)
        length += len(source)
        if len(batch) >= _BATCH or length >= _BATCH_TEXT:
            yield batch
            batch, length = [], 0
    yield batch


def _refused(sources: list[str]) -> Iterator[str]:
    """The expressions that do not compile, found by halving."""
    if not sources or _compiles(sources):
        return
    if len(sources) == 1:
        yield sources[0]
        return
    middle = len(sources) // 2
    yield from _refused(sources[:middle])
    yield from _refused(sources[middle:])


def _compiles(sources: list[str]) -> bool:
    body = ",\n".join(f"(\n{source}\n)" for source in sources)
    try:
        jq.compile(f"{_bindings(sources)}[\n{body}\n]")
    except ValueError:
        return False
    return True


def _bindings(sources: list[str]) -> str:
    """Binds every variable that the expressions name: whether it exists is another rule's question."""
    names = sorted(
        {name for source in sources for name, _ in lex(source).variables} - {"__loc__", "ENV", "__prog_args"}
    )
    return f". as {{{','.join('$' + name for name in names)}}} | " if names else ""


def _explain(source: str) -> tuple[int, str, str]:
    """The first thing that jq says about an expression that does not compile in parentheses."""
    said = _said(f"{_bindings([source])}.\n|\n{source}") or _said(f"{_bindings([source])}(\n\n{source}\n)") or ""
    first = said.splitlines()[0] if said else "it has no valid syntax"
    found = _WHERE.search(first)
    offset = _offset(source, int(found.group(1)) - 3, int(found.group(2) or 1)) if found else 0
    return (offset, *_words(_WHERE.sub("", first.removeprefix("jq: error: ")).rstrip(" :,"), source, offset))


def _said(program: str) -> str:
    try:
        jq.compile(program)
    except ValueError as error:
        return str(error)
    return ""


def _offset(source: str, line: int, column: int) -> int:
    lines = source.split("\n")
    if not 0 <= line < len(lines):
        return len(source.rstrip()) if line >= len(lines) else 0
    return min(sum(len(before) + 1 for before in lines[:line]) + column - 1, len(source))


def _words(said: str, source: str, offset: int) -> tuple[str, str]:
    undefined = _UNDEFINED.match(said)
    if undefined is not None:
        name, count = undefined.group(1), int(undefined.group(2))
        return f"jq has no function '{name}'{_arguments(count)}", _mend_function(name, count)
    if _LABEL.match(said):
        return "'break' names a label that does not exist", "write label $out | … break $out"
    if source[offset : offset + 1] == "'" or ("'" in source and "INVALID_CHARACTER" in said):
        return "single quotes are not jq", 'put text in double quotes: "text"'
    if "&&" in source or "||" in source:
        return f"the expression is not jq: {said}", "write 'and' and 'or' for && and ||"
    if "unexpected end of file" in said or "Possibly unterminated" in said:
        return f"the expression ends too early: {said}", "complete it, or remove its last word"
    return f"the expression is not jq: {said}", "mend it at this place"


def _arguments(count: int) -> str:
    return "" if count == 0 else f" with {count} argument{'s' if count > 1 else ''}"


def _mend_function(name: str, count: int) -> str:
    known = _builtins()
    if name in known:
        counts = one_of(sorted(str(number) for number in known[name]))
        return f"'{name}' takes {counts}{' argument' if counts == '1' else ' arguments'}, separated by ';'"
    if count == 0 and re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
        return f"in shell text write ${name} without braces; in jq text is in double quotes"
    meant = suggest(name, known)
    return f"did you mean '{meant}'?" if meant else f'for a field write .{name}, for text "{name}"'


@cache
def _builtins() -> dict[str, set[int]]:
    """jq's functions and how many arguments they take."""
    first: Any = jq.compile("builtins").input_value(None).first()
    found: dict[str, set[int]] = {}
    for signature in first:
        name, _, count = signature.partition("/")
        if not name.startswith("_"):
            found.setdefault(name, set()).add(int(count))
    return found
