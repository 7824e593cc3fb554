"""What the user gives: documents, JSON values, secrets and CloudEvents, from the command line, files or stdin.

Every function raises :class:`lowtide.errors.InvalidInput` naming the flag or file, what is wrong and how to mend it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from lowtide.errors import InvalidInput
from lowtide.model.base import JSON
from lowtide.wire import json

__all__ = ["events_of", "input_of", "json_of", "pairs_of", "text_of"]

_REQUIRED: Final = ("specversion", "id", "source", "type")


def text_of(path: str) -> str:
    """The text of a file, or of stdin where the path is ``-``."""
    if path == "-":
        return sys.stdin.read()
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidInput(f"{path}: there is no such file; check the path") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: this is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from error


def json_of(text: str, where: str) -> JSON:
    """A JSON value; ``where`` names the flag or file that it came from."""
    try:
        return json.parse(text)
    except InvalidInput as error:
        raise InvalidInput(f"""{where}: {error}; write JSON, such as '{{"name": "Ada"}}'""") from error


def input_of(value: str | None, file: str | None, stdin: str | None) -> JSON:
    """The workflow input of at most one of ``--input``, ``--input-file`` and ``-``; ``None`` where none is given."""
    if stdin not in (None, "-"):
        raise InvalidInput(f"{stdin}: one document at a time; `-` takes the input from stdin, --also adds documents")
    given = [source for source in (value, file, stdin) if source is not None]
    if len(given) > 1:
        raise InvalidInput("the input is given more than once; use one of --input, --input-file and -")
    if value is not None and value != "-":
        return json_of(value, "--input")
    if not given:
        return None
    path = file or "-"
    return json_of(text_of(path), "stdin" if path == "-" else path)


def pairs_of(given: list[str], flag: str) -> dict[str, JSON]:
    """``NAME=JSON`` pairs; what is not JSON is taken as text, so that ``--secret token=abc`` is what it seems."""
    found: dict[str, JSON] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise InvalidInput(f"{flag} {pair}: write {flag} NAME=VALUE")
        try:
            found[name] = json.parse(value)
        except InvalidInput:
            found[name] = value
    return found


def events_of(path: str) -> list[dict[str, JSON]]:
    """The CloudEvents of a file (or ``-``): one in JSON form, or an array of them."""
    where = "stdin" if path == "-" else path
    value = json_of(text_of(path), where)
    events = value if isinstance(value, list) else [value]
    for number, event in enumerate(events):
        place = f"{where}[{number}]" if isinstance(value, list) else where
        if not isinstance(event, dict):
            raise InvalidInput(f"{place}: a CloudEvent is a JSON object; found {json.encode(event)[:40].decode()}")
        missing = [name for name in _REQUIRED if not event.get(name)]
        if missing:
            raise InvalidInput(
                f"{place}: this CloudEvent has no {', '.join(missing)}; "
                'write {"specversion": "1.0", "id": …, "source": …, "type": …, "data": …}'
            )
    return events
