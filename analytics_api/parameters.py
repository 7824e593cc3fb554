"""The shapes of questions: which filters there are and what fits into them. What does not fit is a 400."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from lowtide.errors import InvalidInput, NotFound
from lowtide.model.phase import Phase

from .measures import Grouping

__all__ = [
    "DEFAULT_WINDOW",
    "LONGEST_WINDOW",
    "AcrossQuery",
    "ErrorsQuery",
    "ExecutionFilter",
    "ExecutionsQuery",
    "ExportQuery",
    "Filters",
    "LogFilter",
    "LogLevel",
    "LogSearchQuery",
    "LogStreamQuery",
    "LogsQuery",
    "MeasureFilter",
    "MeasureQuery",
    "Moment",
    "Name",
    "Namespace",
    "Order",
    "Paging",
    "SeriesQuery",
    "Sort",
    "TimelineQuery",
    "execution_id",
    "step_of",
    "window_of",
]

DEFAULT_WINDOW: Final = timedelta(hours=1)
LONGEST_WINDOW: Final = timedelta(days=1)

LogLevel = Literal["debug", "info", "warning", "error"]


def _moment(given: object) -> datetime:
    """A moment from ISO 8601 text with its zone, in UTC."""
    try:
        found = datetime.fromisoformat(str(given))
        if found.tzinfo is not None and 1 < found.year < 9999:  # PostgreSQL and Python both reach this far
            return found.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError("write an ISO 8601 moment with its zone, as 2026-11-23T12:00:00Z (a + in a URL is %2B)")


Moment: TypeAlias = Annotated[datetime, BeforeValidator(_moment)]
Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^\x00]*$")]
Namespace: TypeAlias = Annotated[
    str, Path(pattern=r"^[^\x00]*$", max_length=253, description="The tenant.", examples=["default"])
]


class Filters(BaseModel):
    # A misspelt filter must not silently answer for everything.
    model_config = ConfigDict(extra="forbid")


class Paging(Filters):
    cursor: str | None = Field(None, max_length=2000, description="The `next` of the previous page.")


Sort = Literal["created", "ended", "duration", "cost"]
Order = Literal["desc", "asc"]
Pair: TypeAlias = Annotated[str, StringConstraints(min_length=2, max_length=500, pattern=r"^[^=\x00]+=[^\x00]*$")]
Words: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
Amount: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ExecutionFilter(Filters):
    """Which executions, and in which order: the same for lists and exports."""

    workflow: Name | None = Field(None, description="Executions of this workflow only.", examples=["fulfil-order"])
    version: Name | None = Field(None, description="Executions of this version only.", examples=["1.0.0"])
    phase: list[Phase] = Field([], description="Executions in this phase only; may be given several times.")
    parent: UUID | None = Field(None, description="Children of this execution only.")
    tag: list[Pair] = Field([], max_length=10, description="`name=value`; given several times, all must fit.")
    correlation: list[Pair] = Field([], max_length=10, description="`key=value` that its listeners resolved.")
    error_type: Name | None = Field(
        None,
        alias="errorType",
        description="Faulted with this error; of the standard's own the last segment is enough.",
        examples=["communication"],
    )
    text: Words | None = Field(
        None, description='Words in workflow, reason, error, tags or correlation; "quoted" together, -word not.'
    )
    from_: Moment | None = Field(None, alias="from", description="Created at this moment or later.")
    to: Moment | None = Field(None, description="Created before this moment.")
    longer_ms: Amount | None = Field(None, alias="minDurationMs", description="Ended, and took at least this long.")
    shorter_ms: Amount | None = Field(None, alias="maxDurationMs", description="Ended, and took at most this long.")
    dearer: Amount | None = Field(None, alias="minGbSeconds", description="Cost at least this much.")
    sort: Sort = Field("created", description="`ended` and `duration` show only what has ended.")
    order: Order = Field("desc", description="`desc`: newest, slowest, dearest first.")


class ExecutionsQuery(ExecutionFilter, Paging):
    limit: int = Field(50, ge=1, le=200)


class ExportQuery(ExecutionFilter):
    format: Literal["csv", "jsonl", "parquet"] = "csv"


class TimelineQuery(Paging):
    limit: int = Field(500, ge=1, le=1000)


class LogsQuery(Paging):
    level: LogLevel = Field("debug", description="Lines of this level and of those above it.")
    limit: int = Field(200, ge=1, le=1000)


class ErrorsQuery(Filters):
    workflow: Name | None = Field(None, description="Of this workflow only.", examples=["fulfil-order"])
    from_: Moment | None = Field(None, alias="from", description="Default: a day before `to`.")
    to: Moment | None = Field(None, description="Default: now. At most 31 days after `from`.")
    limit: int = Field(20, ge=1, le=200)


class LogFilter(Filters):
    text: Words | None = Field(None, description='Words of the message; "quoted" together, -word not.')
    workflow: Name | None = Field(None, description="Lines of this workflow only.", examples=["fulfil-order"])
    execution: UUID | None = Field(None, description="Lines of this execution only.")
    task: Words | None = Field(
        None,
        description="Lines of one task only: its name, its reference, or one entry of it.",
        examples=["pay", "/do/0/pay", "/do/0/pay@1.1"],
    )
    level: LogLevel = Field("debug", description="Lines of this level and of those above it.")


class LogStreamQuery(LogFilter):
    from_: Moment | None = Field(
        None, alias="from", description="Written at this moment or later. Default: from now on."
    )


class LogSearchQuery(LogFilter, Paging):
    from_: Moment | None = Field(None, alias="from", description="Written at this moment or later.")
    to: Moment | None = Field(None, description="Written before this moment.")
    order: Order = Field("desc", description="`desc`: newest first.")
    limit: int = Field(200, ge=1, le=1000)


class SeriesQuery(Paging):
    workflow: Name | None = Field(None, description="This workflow only.", examples=["fulfil-order"])
    from_: Moment | None = Field(None, alias="from", description="Default: an hour before `to`. Whole minutes.")
    to: Moment | None = Field(None, description="Default: now. Whole minutes; at most a day after `from`.")
    limit: int = Field(2000, ge=1, le=10_000)


class MeasureFilter(Paging):
    workflow: Name | None = Field(None, description="This workflow only.", examples=["fulfil-order"])
    version: Name | None = Field(None, description="This version only.", examples=["1.0.0"])
    task: Name | None = Field(None, description="This task only (`tasks`).", examples=["/do/0/pay"])
    status: list[Name] = Field([], description="Ends of this status only (`ended`, `tasks`).", examples=[["completed"]])
    from_: Moment | None = Field(None, alias="from", description="Default: sixty steps before `to`. Whole steps.")
    to: Moment | None = Field(None, description="Default: now. Whole steps.")
    step: str = Field(
        "1m",
        pattern=r"^[1-9][0-9]{0,3}[mhd]$",
        description="Minutes, hours or days (UTC).",
        examples=["5m", "1h", "1d"],
    )
    percentiles: bool = Field(True, description="`false` where counts and sums are enough: they are read much faster.")
    limit: int = Field(1000, ge=1, le=10_000)


class MeasureQuery(MeasureFilter):
    by: list[Grouping] = Field([], max_length=4, description="One point for each of these in each step.")


class AcrossQuery(MeasureFilter):
    by: list[Grouping | Literal["namespace"]] = Field(
        [], max_length=5, description="One point for each of these in each step.", examples=[["namespace"]]
    )
    namespace: Name | None = Field(None, description="This namespace only.", examples=["default"])


def step_of(text: str) -> timedelta:
    """``5m``, ``1h`` or ``1d``."""
    unit = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[text[-1]]
    return int(text[:-1]) * unit


def execution_id(text: str) -> UUID:
    """Raises :class:`lowtide.errors.NotFound`: what is no id names no execution."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(
            f"there is no execution {text[:80]!r}; ids look like 0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f"
        ) from error


def window_of(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The whole minutes that cover what was asked for.

    Raises :class:`lowtide.errors.InvalidInput` where the window is empty or longer than a day.
    """
    end = until or now
    last = end.replace(second=0, microsecond=0)
    last = last if last == end else last + timedelta(minutes=1)
    first = (since or last - DEFAULT_WINDOW).replace(second=0, microsecond=0)
    if first >= last:
        raise InvalidInput("`from` is not before `to`; swap them, or leave one out")
    if last - first > LONGEST_WINDOW:
        raise InvalidInput("the window is longer than a day; ask for it day by day")
    return first, last
