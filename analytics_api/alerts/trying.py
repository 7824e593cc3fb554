"""What a rule would have said over a window of the past: the same functions, without anything written or told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Body
from pydantic import Field

from lowtide.errors import InvalidInput
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
_MINUTE: Final = timedelta(minutes=1)


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
    items: list[Said] = Field(description="The last look whole, the others where something changed.")


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
    now = datetime.fromtimestamp(desk.clock.now() / 1000, UTC)
    last = span.to or now
    first = span.from_ or last
    if first > last:
        raise InvalidInput("`from` is after `to`; swap them, or leave one out")
    # Whole minutes: what came later in a minute was not known in it.
    step = max(_MINUTE, timedelta(milliseconds=rule.terms.every), (last - first) / (_MOST_LOOKS - 1))
    looks = int((last - first) / step) + 1
    memories: dict[Group, Memory] = {}
    items: list[Said] = []
    looked: Millis | None = None
    for number in range(looks):
        moment = last - (looks - 1 - number) * step
        found = await verdicts(desk.store, namespace, rule, moment, list(memories))
        for group, (verdict, _) in found.items():
            before = memories.get(group, Memory())
            memories[group], changes = look(before, verdict, millis_of(moment), looked, rule.terms)
            if changes or number == looks - 1:
                items.append(
                    Said(
                        at=moment,
                        group=dict(zip(rule.by, group, strict=True)),
                        state=memories[group].phase,
                        value=verdict.value,
                        why=verdict.why,
                        changes=list(changes),
                    )
                )
        looked = millis_of(moment)
    return Trials(looks=looks, items=items)
