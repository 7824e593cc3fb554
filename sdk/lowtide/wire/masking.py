"""Secrets made unreadable in what people see (decision A-17): history, logs, API answers, the command line. Pure.

The state itself is not altered: journals, snapshots, dispatches and outcomes carry what is so. A mask knows texts:
every text and number in the secrets that a document names, of :data:`SHORTEST` characters or more, each line of a
longer text (keys and certificates are quoted line by line), and the forms in which these travel: base64 (within a
longer text too, as in Basic authentication), percent-encoded, escaped in JSON (once and twice) and in HTML. What was
derived in another way (a hash, a half) is not recognised.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, overload
from urllib.parse import quote, quote_plus

import msgspec

from lowtide.model.base import JSON
from lowtide.model.error import Error
from lowtide.model.event import (
    CancelAsked,
    ChildEnded,
    EffectFailed,
    EffectSucceeded,
    Event,
    EventsReceived,
    Forked,
    TimerFired,
)
from lowtide.model.fact import Fact
from lowtide.model.state import Amendment, Seed
from lowtide.wire.records import Change, JournalRecord

__all__ = ["MASK", "NOTHING_SECRET", "SHORTEST", "Mask", "mask_of"]

MASK: Final = "***"

SHORTEST: Final = 4
"""Characters. Shorter texts are not masked: they would be found in every other word."""

_SHORTEST_LINE: Final = 8
_SHORTEST_ENCODED: Final = 6
_ELLIPSIS: Final = re.compile(r"\.\.\.|…")


class Mask:
    """Masks what is secret in texts and JSON. What holds nothing secret is returned as it is, not copied."""

    def __init__(self, values: Iterable[JSON]) -> None:
        """``values`` are secrets: text, or objects and arrays of texts."""
        leaves = [leaf for value in values for leaf in _leaves(value)]
        texts = {text for leaf in leaves for text in _texts(leaf) if len(text) >= SHORTEST}
        self._numbers = frozenset(leaf for leaf in leaves if not isinstance(leaf, str) and str(leaf) in texts)
        self._forms = tuple(sorted({form for text in texts for form in _forms(text)}, key=len, reverse=True))
        self._found = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None

    def text(self, text: str) -> str:
        """``text`` as people may see it. Also where it was cut short: the beginning of a secret before ``...``."""
        if self._found is None:
            return text
        masked, count = self._found.subn(MASK, text)
        while count:  # what stood around a secret may have become another one; it shrinks each time
            masked, count = self._found.subn(MASK, masked)
        cut = self._uncut(masked)
        return cut if cut == masked else self.text(cut)

    def json(self, value: JSON) -> JSON:
        """A JSON value as people may see it; keys are texts too, and stay different from each other."""
        if self._found is None:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return self._object(value)
            case list():
                items = [self.json(item) for item in value]
                return value if all(new is old for new, old in zip(items, value, strict=True)) else items
            case bool():
                return value
            case int() | float() if value in self._numbers:
                return MASK
            case _:
                return value

    @overload
    def error(self, error: Error) -> Error: ...
    @overload
    def error(self, error: None) -> None: ...
    @overload
    def error(self, error: Error | None) -> Error | None: ...
    def error(self, error: Error | None) -> Error | None:
        """A workflow error; its type and status are the document's or the standard's own."""
        if error is None or self._found is None:
            return error
        texts = {name: getattr(error, name) for name in ("title", "detail", "instance", "type")}
        masked = {name: text if text is None else self.text(text) for name, text in texts.items()}
        return error if masked == texts else msgspec.structs.replace(error, **masked)

    def facts(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """Facts for the timeline. Their names are the document's own; their errors, correlation keys and what they wait
        for are data."""
        return facts if self._found is None else tuple(self._fact(fact) for fact in facts)

    def change(self, change: Change) -> Change:
        """A change of an execution, as analytics is told it."""
        if self._found is None:
            return change
        reason = None if change.reason is None else self.text(change.reason)
        error, facts = self.error(change.error), self.facts(change.facts)
        return msgspec.structs.replace(change, error=error, reason=reason, facts=facts)

    def seed(self, seed: Seed) -> Seed:
        if self._found is None:
            return seed
        amendments = {entry: self._amendment(amendment) for entry, amendment in seed.amendments.items()}
        return msgspec.structs.replace(seed, input=self.json(seed.input), amendments=amendments)

    def record(self, record: JournalRecord) -> JournalRecord:
        """A record of the journal: its data, not what orders it and what it answers to."""
        if self._found is None:
            return record
        entry = msgspec.structs.replace(record.entry, event=self._event(record.entry.happened))
        return msgspec.structs.replace(record, entry=entry)

    def _fact(self, fact: Fact) -> Fact:
        error, keys, wait = self.error(fact.error), self.json(fact.keys), self.json(fact.wait)
        same = error is fact.error and keys is fact.keys and wait is fact.wait
        return fact if same else msgspec.structs.replace(fact, error=error, keys=keys, wait=wait)

    def _event(self, event: Event) -> Event:
        match event:
            case EffectSucceeded(output=output):
                return msgspec.structs.replace(event, output=self.json(output))
            case EffectFailed(error=error):
                return msgspec.structs.replace(event, error=self.error(error))
            case ChildEnded(output=output, error=failure):
                return msgspec.structs.replace(event, output=self.json(output), error=self.error(failure))
            case EventsReceived(events=events):
                shown = tuple(msgspec.structs.replace(one, event=self.json(one.event)) for one in events)
                return msgspec.structs.replace(event, events=shown)
            case CancelAsked(reason=reason):
                return msgspec.structs.replace(event, reason=self.text(reason))
            case TimerFired() | Forked():
                return event

    def _amendment(self, amendment: Amendment) -> Amendment:
        """What is left out stays so."""
        return Amendment(input=self.json(amendment.input), context=self.json(amendment.context))

    def _object(self, value: dict[str, JSON]) -> JSON:
        masked: dict[str, JSON] = {}
        for key, member in value.items():
            name = self.text(key)
            while name in masked:
                name += "*"
            masked[name] = self.json(member)
        same = all(a == b and masked[a] is value[b] for a, b in zip(masked, value, strict=True))
        return value if same else masked

    def _uncut(self, text: str) -> str:
        """jq and our own messages shorten what they quote: what is left of a secret there is a beginning."""
        if "..." not in text and "…" not in text:
            return text
        parts, end = [], 0
        for dots in _ELLIPSIS.finditer(text):
            before = text[end : dots.start()]
            length = max((_overlap(before, form) for form in self._forms), default=0)
            parts += [before[: len(before) - length] + MASK if length else before, dots[0]]
            end = dots.end()
        return "".join(parts) + text[end:]


NOTHING_SECRET: Final = Mask(())


def mask_of(names: Iterable[str], secrets: Mapping[str, JSON]) -> Mask:
    """The mask of a document that names these secrets; those that are not there hide nothing."""
    wanted = tuple(names)
    values = [secrets[name] for name in wanted if name in secrets] if wanted else []
    return _made(msgspec.json.encode(values)) if values else NOTHING_SECRET


@lru_cache(maxsize=64)
def _made(values: bytes) -> Mask:
    """Secrets are read anew each time, since they may rotate; the mask of the same ones is made once."""
    return Mask(msgspec.json.decode(values))


def _leaves(value: JSON) -> Iterator[str | int | float]:
    match value:
        case dict():
            for member in value.values():
                yield from _leaves(member)
        case list():
            for item in value:
                yield from _leaves(item)
        case bool() | None:
            return
        case _:
            yield value


def _texts(leaf: str | int | float) -> Iterator[str]:
    text = leaf if isinstance(leaf, str) else str(leaf)
    yield text
    yield text.strip()
    lines = text.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= _SHORTEST_LINE)


def _forms(text: str) -> Iterator[str]:
    yield text
    percent = quote(text, safe="", errors="replace")
    yield from (percent, re.sub("%..", lambda code: code[0].lower(), percent))
    yield from (quote(text, errors="replace"), quote_plus(text, errors="replace"), _in_html(text))
    for in_ascii in (False, True):
        once = _in_json(text, in_ascii)
        yield from (once, _in_json(once, in_ascii))
    yield from _in_base64(text.encode(errors="replace"))


def _in_html(text: str) -> str:
    """As ``html.escape``, whose module loads all of HTML's entities."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;")):
        text = text.replace(character, entity)
    return text


def _in_json(text: str, in_ascii: bool) -> str:
    encoded = msgspec.json.encode(text).decode()[1:-1]
    if not in_ascii:
        return encoded
    return "".join(character if character.isascii() else _escape(character) for character in encoded)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def _in_base64(secret: bytes) -> Iterator[str]:
    """Whole; and, at each of the three places where it can begin in a longer text, what is the same in all texts."""
    whole = base64.b64encode(secret).decode().rstrip("=")
    found = [whole] if len(whole) >= _SHORTEST_ENCODED else []
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret).decode()
        own = encoded[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6]
        if len(own) > _SHORTEST_ENCODED:
            found.append(own)
    for form in found:
        yield from (form, form.replace("+", "-").replace("/", "_"))


def _overlap(text: str, form: str) -> int:
    """How long an ending of ``text`` begins ``form``; 0 where that is too short to tell anything."""
    ending, place = text[-SHORTEST:], -1
    longest = 0
    while len(ending) == SHORTEST and (place := form.find(ending, place + 1)) >= 0:
        if text.endswith(form[: place + SHORTEST]):
            longest = place + SHORTEST
    return longest
