"""The shape of a rule: what is looked at, when it is bad, who is told."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from lowtide.model.base import JSON
from lowtide.model.duration import to_millis, write

from ..measures import MEASURES, Grouping
from ..measures import Name as MeasureName
from ..parameters import Name
from .conditions import WORKBOOK, Pair
from .core import Terms

__all__ = [
    "EXAMPLE",
    "NAME",
    "Absence",
    "BurnRate",
    "By",
    "Condition",
    "Note",
    "Reason",
    "Rule",
    "Shape",
    "Threshold",
    "Value",
    "Webhook",
    "milliseconds",
]

Value = Literal[
    "count",
    "perSecond",
    "total",
    "mean",
    "smallest",
    "largest",
    "p50",
    "p95",
    "p99",
    "successRate",
    "concurrency",
]
_SKETCHED: Final = ("p50", "p95", "p99")
_LEAST_SECRET: Final = 24
_MOST_SECRET: Final = 64
"""Bytes of a webhook's secret (Standard Webhooks, "Signature scheme")."""


def milliseconds(text: str) -> int:
    """Of a duration that was checked."""
    return to_millis(text)


def _between(least: str, most: str) -> AfterValidator:
    def check(text: str) -> str:
        if not to_millis(least) <= to_millis(text) <= to_millis(most):
            raise ValueError(f"write a duration from {least} to {most}")
        return write(to_millis(text))

    return AfterValidator(check)


_Text: TypeAlias = Annotated[str, StringConstraints(max_length=40)]
Window: TypeAlias = Annotated[_Text, _between("PT1M", "P31D")]
Span: TypeAlias = Annotated[_Text, _between("PT0S", "P7D")]
Rhythm: TypeAlias = Annotated[_Text, _between("PT1S", "PT1H")]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
By: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Note: TypeAlias = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
Reason: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]

NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""How a rule may be called: it is a part of addresses."""


class Shape(BaseModel):
    # A misspelt member must not silently make another rule.
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Threshold(Shape):
    """Fires above or below a limit, is over at ``resolve``: between the two nothing changes."""

    kind: Literal["threshold"]
    above: Number | None = Field(None, examples=[5])
    below: Number | None = None
    resolve: Number | None = Field(None, description="Default: the limit itself.", examples=[2])

    @model_validator(mode="after")
    def _sides(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("give `above` or `below`")
        if self.resolve is not None and (
            (self.above is not None and self.resolve > self.above)
            or (self.below is not None and self.resolve < self.below)
        ):
            raise ValueError("`resolve` must be on the good side of the limit")
        return self


class Absence(Shape):
    """Fires where nothing is counted in the window."""

    kind: Literal["absence"]


class BurnPair(Shape):
    long: Window = Field(examples=["PT1H"])
    short: Window = Field(examples=["PT5M"])
    factor: float = Field(gt=0, allow_inf_nan=False, examples=[14.4])

    @model_validator(mode="after")
    def _order(self) -> Self:
        if to_millis(self.short) > to_millis(self.long):
            raise ValueError("`short` is longer than `long`; swap them")
        return self


class BurnRate(Shape):
    """Fires where the error budget of an objective burns too fast in a long and in a short window."""

    kind: Literal["burnRate"]
    objective: float = Field(gt=0, lt=1, description="The share that should complete.", examples=[0.999])
    windows: list[BurnPair] = Field(
        [BurnPair(long=write(pair.long), short=write(pair.short), factor=pair.factor) for pair in WORKBOOK],
        min_length=1,
        max_length=4,
        description="Any pair is enough. Default: the pages of the Site Reliability Workbook.",
    )
    resolve: float = Field(0.9, gt=0, le=1, description="It is over at this share of the factors.")
    least: int = Field(1, ge=1, le=1_000_000, description="With fewer ends in the long window a pair is not judged.")

    @property
    def pairs(self) -> list[Pair]:
        return [Pair(to_millis(one.long), to_millis(one.short), one.factor) for one in self.windows]


Condition: TypeAlias = Annotated[Threshold | Absence | BurnRate, Field(discriminator="kind")]


class Webhook(Shape):
    """Told by POST, signed as Standard Webhooks asks."""

    url: str = Field(max_length=2000, examples=["https://pager.example.com/lowtide"])
    secret: str | None = Field(
        None,
        max_length=200,
        description="`whsec_` and base64 of 24 to 64 bytes. Never shown; left out, that of before is kept.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        from yarl import URL

        try:
            url = URL(self.url)
            usable = url.scheme in ("http", "https") and bool(url.host) and url.user is None and "\x00" not in self.url
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("`url` must be an http or https URL with a host and without a user")
        if self.secret is not None and not _is_secret(self.secret):
            raise ValueError("`secret` must be whsec_ and the base64 of 24 to 64 random bytes")
        return self


def _is_secret(text: str) -> bool:
    prefix, _, encoded = text.partition("_")
    try:
        return prefix == "whsec" and _LEAST_SECRET <= len(base64.b64decode(encoded, validate=True)) <= _MOST_SECRET
    except (binascii.Error, ValueError):
        return False


EXAMPLE: Final[dict[str, JSON]] = {
    "description": "Orders fault",
    "measure": "ended",
    "status": ["faulted"],
    "by": ["workflow"],
    "window": "PT5M",
    "condition": {"kind": "threshold", "above": 5, "resolve": 2},
    "for": "PT2M",
    "webhooks": [{"url": "https://pager.example.com/lowtide", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}],
}


class Rule(Shape):
    """One value of one measure, for each group; what of it is bad, and who is told."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    description: str = Field("", max_length=500, pattern=r"^[^\x00]*$")
    measure: MeasureName = Field(description="As in `…/series/{measure}`.")
    value: Value = Field("count", description="Which number of it.")
    workflow: Name | None = Field(None, description="Of this workflow only.")
    version: Name | None = None
    task: Name | None = None
    status: list[Name] = Field([], max_length=8, description="Ends of this status only (`ended`, `tasks`).")
    by: list[Grouping] = Field([], max_length=4, description="One alert for each of these.")
    window: Window = Field("PT5M", description="How far back is looked. A burn rate has its own windows.")
    condition: Condition
    lasting: Span = Field("PT0S", alias="for", description="For how long it must be bad until it fires.")
    resolve_after: Span = Field("PT0S", description="For how long it must be good until it is over.")
    every: Rhythm = Field("PT1M", description="How often it is looked at; never more often than ticks come.")
    no_data: Literal["ok", "keep"] = Field("ok", description="Without a value: it is good, or it stays as it is.")
    event: bool = Field(True, description="Tell by a CloudEvent.")
    webhooks: list[Webhook] = Field([], max_length=5)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        asked = MEASURES[self.measure]
        if self.value in _SKETCHED and not asked.sketched:
            raise ValueError(f"`{self.measure}` has no percentiles; take total, mean or count")
        if (self.value == "successRate" or isinstance(self.condition, BurnRate)) and (
            not asked.statuses or self.status or "status" in self.by
        ):
            raise ValueError("shares of success are of `ended` or `tasks`, of all statuses together")
        if self.value == "concurrency" and self.measure != "active":
            raise ValueError("`concurrency` is a value of `active`")
        if len(set(self.by)) != len(self.by) or len({one.url for one in self.webhooks}) != len(self.webhooks):
            raise ValueError("`by` and the URLs of `webhooks` name each once")
        return self

    @property
    def terms(self) -> Terms:
        return Terms(
            lasting=to_millis(self.lasting),
            calm=to_millis(self.resolve_after),
            every=to_millis(self.every),
            keep=self.no_data == "keep",
        )

    @property
    def secrets(self) -> dict[str, str]:
        return {one.url: one.secret for one in self.webhooks if one.secret is not None}

    def stored(self) -> dict[str, Any]:
        """Its JSON without secrets."""
        return self.model_dump(mode="json", by_alias=True, exclude={"webhooks": {"__all__": {"secret"}}})

    def is_same_question(self, other: Rule) -> bool:
        """Whether what was found for one holds for the other."""
        return self._question() == other._question()

    def _question(self) -> dict[str, Any]:
        return self.model_dump(exclude={"description", "event", "webhooks", "every"})


assert set(_SKETCHED) <= set(get_args(Value))
