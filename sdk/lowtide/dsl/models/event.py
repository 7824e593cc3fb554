"""CloudEvents in the grammar: what to emit, what to listen to, and how many of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, Tag

from lowtide.dsl.models.base import Model, by_key, by_shape, mistake
from lowtide.dsl.models.values import Data, Expression, Scalar, Uri
from lowtide.dsl.templates import MARKER

__all__ = ["EmittedEvent", "EventFilter", "Strategy"]


def _time(text: str) -> str:
    if MARKER not in text:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise mistake(f"'{text[:60]}' is not a time", "write RFC 3339, as in 2026-01-31T12:00:00Z") from error
        if moment.tzinfo is None:
            raise mistake(f"the time '{text[:60]}' has no offset", "add one, as in 2026-01-31T12:00:00Z")
    return text


def _type(text: str) -> str:
    if not text.strip():
        raise mistake("the event's type is empty", "write one, as in com.example.order.placed.v1")
    return text


class Attributes(Model):
    """A CloudEvent's attributes; extension attributes are welcome."""

    model_config = ConfigDict(extra="allow")

    id: str | None = None
    source: str | None = None
    subject: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Data = None


class FilterAttributes(Attributes):
    type: str | None = None
    time: str | None = None


class EmittedAttributes(Attributes):
    type: Annotated[str, AfterValidator(_type)] = Field(examples=["com.example.order.placed.v1"])
    source: Uri | None = None
    time: Annotated[str, AfterValidator(_time)] | None = None


class EmittedEvent(Model):
    with_: EmittedAttributes = Field(examples=["{type: com.example.order.placed.v1}"])


class Correlation(Model):
    from_: Expression = Field(examples=[".orderId"])
    expect: Scalar = None


def _not_empty(filter_: FilterAttributes) -> FilterAttributes:
    if not filter_.model_fields_set:
        raise mistake("the filter has no attribute", "give at least one, such as type: com.example.paid.v1")
    return filter_


class EventFilter(Model):
    with_: Annotated[FilterAttributes, AfterValidator(_not_empty)] = Field(examples=["{type: com.example.paid.v1}"])
    correlate: dict[str, Correlation] | None = None


class One(Model):
    one: EventFilter


class All(Model):
    all: list[EventFilter] = Field(min_length=1)


class AnyWithoutUntil(Model):
    any: list[EventFilter]


_MEND = "give one of one: {with: …}, all: [{with: …}] or any: [{with: …}]"

UntilStrategy: TypeAlias = Annotated[
    Annotated[One, Tag("<one>")] | Annotated[All, Tag("<all>")] | Annotated[AnyWithoutUntil, Tag("<any>")],
    by_key(("one", "all", "any"), "an event consumption strategy is expected", _MEND),
]

Until: TypeAlias = Annotated[
    Annotated[Expression, Tag("<text>")] | Annotated[UntilStrategy, Tag("<object>")],
    by_shape("a condition or a strategy is expected", "write jq such as ( . | length ) > 3, or one: {with: …}"),
]


class Some(Model):
    any: list[EventFilter]
    until: Until | None = None


Strategy: TypeAlias = Annotated[
    Annotated[One, Tag("<one>")] | Annotated[All, Tag("<all>")] | Annotated[Some, Tag("<any>")],
    by_key(("one", "all", "any"), "an event consumption strategy is expected", _MEND),
]
