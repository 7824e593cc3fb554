"""What a rule would have said over a window of the past: the same functions, without anything written or told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Body
from pydantic import Field

from lowtide.errors import InvalidInput, Unavailable
from lowtide.model.base import Millis

from ..answers import Answer
from ..answers import Moment as Shown
from ..parameters import Moment, Namespace
from ..problems import RESPONSES
from .core import Memory, look
from .desk import Desk
from .reading import verdicts
from .rules import EXAMPLE, Rule, Shape
from .ruling import RuleName, find_rule
from .states import Group, millis_of

__all__ = ["routes"]

_MOST_LOOKS: Final = 120
_MOST_ITEMS: Final = 1000
_LONGEST: Final = 45.0
_MINUTE: Final = timedelta(minutes=1)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Span(Shape):
    from_: Moment | None = Field(None, alias="from", description="Default: `to`, which is one look.")
    to: Moment | None = Field(None, description="Default: now.")


class Trial(Span):
    rule: Rule


class Said(Answer):
    """One group at one look; only looks at which something was different from the one before are listed."""

    at: Shown
    group: dict[str, str]
    state: str = Field(description="ok, pending or firing", examples=["firing"])
    value: float | None
    why: str
    changes: list[str] = Field(
        description="begun, passed (it never fired), fired, told, resolved", examples=[["begun", "fired", "told"]]
    )


class Trials(Answer):
    looks: int = Field(description="So many, at the same distance.")
    items: list[Said] = Field(description="The last look whole, the others where something changed; the last thousand.")


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/alerts", tags=["alerts"], responses=RESPONSES)

    @router.post("/test", summary="What would a rule say?")
    async def given(namespace: Namespace, trial: Annotated[Trial, Body(examples=[{"rule": EXAMPLE}])]) -> Trials:
        """Of a rule that is not stored. Silences are not thought of; nobody is told."""
        return await _tried(desk, namespace, trial.rule, trial)

    @router.post("/rules/{name}/test", summary="What does a rule say?")
    async def stored(namespace: Namespace, name: RuleName, span: Annotated[Span | None, Body()] = None) -> Trials:
        """Of a stored rule, now or over a window of the past: at most 120 looks. Nothing is changed by it."""
        return await _tried(desk, namespace, await find_rule(desk, namespace, name), span or Span.model_validate({}))

    return router


async def _tried(desk: Desk, namespace: str, rule: Rule, span: Span) -> Trials:
    try:
        async with asyncio.timeout(_LONGEST):
            return await _looks(desk, namespace, rule, *_moments(desk, rule, span))
    except TimeoutError as error:
        raise Unavailable(f"the looks took longer than {_LONGEST:g} s; ask for fewer, or for less") from error


def _moments(desk: Desk, rule: Rule, span: Span) -> tuple[datetime, int, timedelta]:
    """The last moment, how many there are, and their distance."""
    last = span.to or datetime.fromtimestamp(desk.clock.now() / 1000, UTC)
    if span.from_ is None:
        return last, 1, _MINUTE
    if span.from_ > last:
        raise InvalidInput("`from` is after `to`; swap them, or leave one out")
    # Of whole minutes: what came later in a minute was not known in it.
    last = last.replace(second=0, microsecond=0)
    first = min(last, span.from_.replace(second=0, microsecond=0))
    step = max(_MINUTE, timedelta(milliseconds=rule.terms.every), (last - first) / (_MOST_LOOKS - 1))
    step = -(-step // _MINUTE) * _MINUTE
    return last, (last - first) // step + 1, step


async def _looks(desk: Desk, namespace: str, rule: Rule, last: datetime, looks: int, step: timedelta) -> Trials:
    # As if looked at that often: what lies between was not unwatched.
    terms = replace(rule.terms, every=step // _MILLISECOND)
    memories: dict[Group, Memory] = {}
    items: list[Said] = []
    looked: Millis | None = None
    for number in range(looks):
        moment = last - (looks - 1 - number) * step
        for group, (verdict, _) in (await verdicts(desk.store, namespace, rule, moment, list(memories))).items():
            memories[group], changes = look(memories.get(group, Memory()), verdict, millis_of(moment), looked, terms)
            if changes or number == looks - 1:
                said = Said(
                    at=moment,
                    group=dict(zip(rule.by, group, strict=True)),
                    state=memories[group].phase,
                    value=verdict.value,
                    why=verdict.why,
                    changes=list(changes),
                )
                items.append(said)
        looked = millis_of(moment)
    return Trials(looks=looks, items=items[-_MOST_ITEMS:])
