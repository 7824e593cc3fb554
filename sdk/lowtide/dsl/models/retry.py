"""Retry policies. ``multiplier``, ``increment`` and ``maxDelay`` in a backoff are Lowtide's (decision A-10)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field, Tag

from lowtide.dsl.models.base import Model, by_key, by_shape
from lowtide.dsl.models.values import Duration, Expression

__all__ = ["RetryOrName", "RetryPolicy"]


class BackoffOptions(Model):
    """The standard leaves these objects open; the linter warns about keys that nobody reads."""

    model_config = ConfigDict(extra="allow")

    multiplier: int | float | None = Field(default=None, gt=0)
    increment: Duration | None = None
    max_delay: Duration | None = None


class Constant(Model):
    constant: BackoffOptions | None


class Linear(Model):
    linear: BackoffOptions | None


class Exponential(Model):
    exponential: BackoffOptions | None


class AttemptLimit(Model):
    count: int | None = Field(default=None, ge=0)
    duration: Duration | None = None


class Limit(Model):
    attempt: AttemptLimit | None = None
    duration: Duration | None = None


class Jitter(Model):
    from_: Duration = Field(examples=["PT0S"])
    to: Duration = Field(examples=["PT1S"])


class RetryPolicy(Model):
    when: Expression | None = None
    except_when: Expression | None = None
    delay: Duration | None = None
    backoff: (
        Annotated[
            Annotated[Constant, Tag("<constant>")]
            | Annotated[Linear, Tag("<linear>")]
            | Annotated[Exponential, Tag("<exponential>")],
            by_key(("constant", "linear", "exponential"), "a backoff is expected", "write exponential: {}, for one"),
        ]
        | None
    ) = None
    limit: Limit | None = None
    jitter: Jitter | None = None


RetryOrName: TypeAlias = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[RetryPolicy, Tag("<object>")],
    by_shape("a retry policy is expected", "write {delay: PT1S, …}, or the name of one in use.retries"),
]
