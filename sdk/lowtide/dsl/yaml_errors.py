"""What libyaml says, in words that tell an author how to mend it."""

from __future__ import annotations

from typing import Final

import yaml

from lowtide.dsl.source import BadText, Source

__all__ = ["explain"]

_SAYINGS: Final[tuple[tuple[str, str, str], ...]] = (
    ("cannot start any token", "a character that YAML reserves stands here", "put the text in quotes"),
    (
        "mapping values are not allowed",
        "a second ': ' in this line makes no sense to YAML",
        "put text that holds ': ' in quotes, or indent the lines below their key alike",
    ),
    (
        "could not find expected ':'",
        "a key without ':' stands before here",
        "write 'key: value', with a space after the colon",
    ),
    (
        "did not find expected key",
        "the line does not continue what stands above it",
        "indent it like its siblings, and quote text that begins with a bracket, a brace or a quote",
    ),
    (
        "did not find expected '-' indicator",
        "the line is neither an entry of the list above nor outside it",
        "begin it with '- ', or indent it like the entry it belongs to",
    ),
    ("did not find expected ',' or '}'", "a '{' is not closed", "close it with '}', or quote the text"),
    ("did not find expected ',' or ']'", "a '[' is not closed", "close it with ']', or quote the text"),
    ("block sequence entries are not allowed", "a list cannot begin here", "put '- ' on a line of its own"),
    ("unexpected end of stream", "a quoted text is not closed", "close the quote"),
    ("found unknown escape character", "this is no escape of YAML", "use single quotes, or double the backslash"),
    ("found duplicate anchor", "the anchor stands here twice", "give the second one another name"),
    ("while scanning for the next token", "a character that YAML reserves stands here", "put the text in quotes"),
)


def explain(error: yaml.YAMLError, source: Source) -> BadText:
    """The error as one with a place, a message and a mend."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return BadText((1, 1), f"this is not YAML ({error})", "save it as plain UTF-8 text")
    place = error.problem_mark or error.context_mark
    line, column = source.mark_of(place) if place is not None else (1, 1)
    said = " ".join(part for part in (error.context, error.problem) if part)
    if _is_tab(source, line, column):
        return BadText((line, column), "a tab stands in the indentation", "indent with spaces")
    if error.context and "quoted scalar" in error.context and error.context_mark is not None:
        opened = source.mark_of(error.context_mark)
        if "end of stream" in said:
            return BadText(opened, "a quoted text is not closed", "close the quote")
    text = source.lines[line - 1] if line <= len(source.lines) else ""
    if "mapping values" in said and "${" in text:
        return BadText((line, column), "YAML reads the ': ' in this expression as a key", "quote it: '${ … }'")
    if "did not find expected ','" in said and "${" in text:
        return BadText((line, column), "inside { } and [ ] YAML takes the braces of '${ }'", "quote it: '${ … }'")
    for saying, message, mend in _SAYINGS:
        if saying in said:
            return BadText((line, column), message, mend)
    return BadText((line, column), f"this is not YAML ({said})", "indent siblings alike and quote unusual text")


def _is_tab(source: Source, line: int, column: int) -> bool:
    text = source.lines[line - 1] if line <= len(source.lines) else ""
    before = text[: column - 1]
    indentation = text[: len(text) - len(text.lstrip())]
    return "\t" in indentation or (text[column - 1 : column] == "\t" and not before.strip())
