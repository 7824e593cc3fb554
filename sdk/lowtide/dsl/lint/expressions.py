"""Expressions: syntax, variables, secrets, and text that was meant to be an expression."""

from __future__ import annotations

import re
from typing import Final

from lowtide.dsl.jqlex import Lexed, lex
from lowtide.dsl.lint.syntax import syntax_errors
from lowtide.dsl.normalise.draft import NOTHING, Draft, Site
from lowtide.dsl.normalise.scope import ALWAYS, KNOWN
from lowtide.dsl.problem import Report, one_of
from lowtide.dsl.templates import MARKER

__all__ = ["check_expressions", "forgotten_braces"]

LONGEST: Final = 65_536
_SECRET: Final = re.compile(r"""\$secrets\s*(?:\.\s*([A-Za-z_]\w*)|(?:\.\s*)?\[?\s*"([^"\\]*)")""")
_FORGOTTEN: Final = re.compile(
    r"\.[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d*\])*|\$(?:context|input|secrets|workflow|task|runtime)\b(?:\.\w+|\[\d*\])*"
)
_ITERATES: Final = re.compile(r"[\w)\]\"}.?](\[\s*\])\??\s*$")
_NO_SECRETS: Final = (
    "a function cannot read secrets of the workflow that calls it",
    "take it as an argument, and let the workflow give it in with",
)
_FORBIDDEN: Final = frozenset({"input", "inputs", "halt", "halt_error"})


def check_expressions(draft: Draft, report: Report) -> None:
    """Every expression of the document that is meant as one (in loose mode, text that happens to be jq is not)."""
    sound: list[Site] = []
    for site in draft.sites:
        if site.expression.lenient:
            continue
        lexed = lex(site.expression.source)
        if _is_sound(draft, site, lexed, report):
            _check_variables(draft, site, lexed, report)
            _check_secrets(draft, site, lexed, report)
            _check_words(draft, site, lexed, report)
            _check_outputs(draft, site, lexed, report)
            sound.append(site)
    for site, offset, message, mend in syntax_errors(sound):
        report.error(draft.mark(site, offset), message, mend)
    for name, mark in draft.secrets:
        if draft.origin is not None:
            report.error(mark, *_NO_SECRETS)
        else:
            _declared(draft, name, mark, report)


def _is_sound(draft: Draft, site: Site, lexed: Lexed, report: Report) -> bool:
    source = site.expression.source
    if not source.strip():
        report.error(draft.mark(site, 0), "the expression is empty", "write jq between '${' and '}'")
        return False
    if len(source) > LONGEST:
        report.error(draft.mark(site, 0), f"the expression has more than {LONGEST:,} characters", "split it up")
        return False
    if MARKER in source and source == (site.node.text or "").strip() and lexed.trouble is None and not _quoted(source):
        report.error(
            draft.mark(site, source.index(MARKER)),
            "the whole text of this field is one expression, and '${' stands inside it",
            'write bare jq, or ${ "text \\(.value)" } around all of it',
        )
        return False
    if lexed.trouble is not None:
        offset, nature = lexed.trouble
        report.error(draft.mark(site, offset), f"the expression is not closed: {nature}", "close it")
        return False
    return True


def _quoted(source: str) -> bool:
    """Whether every ``${`` stands inside a jq string."""
    return MARKER not in re.sub(r'"(?:[^"\\]|\\.)*"', '""', source)


def _check_variables(draft: Draft, site: Site, lexed: Lexed, report: Report) -> None:
    visible = site.scope.visible | ALWAYS
    for name, offset in lexed.free:
        if name in visible:
            continue
        if name in KNOWN:
            message = f"${name} is not available in {site.scope.place}"
            mend = f"there are {one_of(f'${known}' for known in sorted(site.scope.visible))}"
        else:
            meant = report.suggest(name, site.scope.visible)
            message = f"there is no variable ${name} here"
            listed = one_of(f"${known}" for known in sorted(site.scope.visible))
            mend = f"did you mean ${meant}?" if meant else f"there are {listed}"
        report.error(draft.mark(site, offset), message, mend)


def _check_secrets(draft: Draft, site: Site, lexed: Lexed, report: Report) -> None:
    uses = [offset for name, offset in lexed.free if name == "secrets"]
    if not uses:
        return
    if draft.origin is not None:
        report.error(draft.mark(site, uses[0]), *_NO_SECRETS)
        return
    for match in _SECRET.finditer(site.expression.source):
        name = match.group(1) or match.group(2)
        if name and match.start() in uses:
            _declared(draft, name, draft.mark(site, match.start()), report)
    if site.scope.shows:
        report.error(
            draft.mark(site, uses[0]),
            f"{site.scope.place} would show a secret",
            "use the secret where it is needed, in the call itself",
        )


def _declared(draft: Draft, name: str, mark: tuple[int, int], report: Report) -> None:
    declared = [item.text for item in (draft.use.get("secrets") or NOTHING).items if item.text is not None]
    if name not in declared:
        meant = report.suggest(name, declared)
        mend = f"did you mean '{meant}'?" if meant else f"declare it: use: {{secrets: [{name}]}}"
        report.error(mark, f"the secret '{name}' is not declared in use.secrets", mend)


def _check_words(draft: Draft, site: Site, lexed: Lexed, report: Report) -> None:
    for place, (word, offset) in enumerate(lexed.words):
        defined = place > 0 and lexed.words[place - 1][0] == "def"
        following = site.expression.source[offset + len(word) :].lstrip()[:1]
        if word in _FORBIDDEN and not defined and following != ":":
            mend = "write $input" if word.startswith("input") else "write error(…), or raise the error in a task"
            report.warn(draft.mark(site, offset), f"jq's '{word}' is not available in workflows", mend)


def _check_outputs(draft: Draft, site: Site, lexed: Lexed, report: Report) -> None:
    """Only the first output of an expression is taken (decision A-3)."""
    source = site.expression.source
    many = _ITERATES.search(source)
    if many is not None:
        report.warn(
            draft.mark(site, many.start(1)),
            "the expression gives every element, and only the first is taken",
            "leave '[]' out to take the list, or write first(…)",
        )
    elif lexed.commas and not any(word == "def" for word, _ in lexed.words):
        report.warn(
            draft.mark(site, lexed.commas[0]),
            "the expression gives several values, and only the first is taken",
            "write [ … ] around it to make a list",
        )


def forgotten_braces(draft: Draft, report: Report) -> None:
    """``customer: .customer`` is the text ".customer" in strict mode; most often an expression was meant."""
    for text, node in draft.texts:
        if _FORGOTTEN.fullmatch(text.strip()):
            shown = text.strip()[:60]
            report.warn(node.mark, f"'{shown}' is text, not an expression", f"write ${{ {shown} }} if one is meant")
