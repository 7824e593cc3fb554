"""Documents run whole in this process with real effects: what a task gave, or the error that it failed with."""

from __future__ import annotations

import textwrap
from typing import Any

from lowtide.dsl import plan
from lowtide.effects import EffectTable, build
from lowtide.expressions import JqHost
from lowtide.model.state import Completed, Faulted, Outcome
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.inprocess import run_plan

__all__ = ["fault", "output", "perform"]

_HEAD = "document: {dsl: '1.0.3', namespace: tests, name: sample, version: '1.0.0'}\n"


async def perform(
    do: str,
    input: Any = None,
    *,
    shared: EffectTable | None = None,
    secrets: dict[str, Any] | None = None,
    **allowed: Any,
) -> Outcome:
    """Run a document of which ``do`` is all but its head; ``allowed`` is what :func:`lowtide.effects.build` takes.

    ``shared`` effects stay open, so that what they keep serves the next document too.
    """
    effects = shared or build(**{"allow_loopback": True, "allow_files": True, **allowed})
    host = JqHost(secrets=secrets)
    try:
        report = await run_plan(
            plan(_HEAD + textwrap.dedent(do), "sample.yaml"), input, host=host, effects=effects, clock=SystemClock()
        )
    finally:
        host.close()
        if effects is not shared:
            await effects.close()
    assert report.outcome is not None
    return report.outcome


async def output(do: str, input: Any = None, **given: Any) -> Any:
    outcome = await perform(do, input, **given)
    assert isinstance(outcome, Completed), outcome
    return outcome.output


async def fault(do: str, input: Any = None, **given: Any) -> tuple[str, int, str]:
    """The last segment of the error's type, its status, and its detail."""
    outcome = await perform(do, input, **given)
    assert isinstance(outcome, Faulted), outcome
    error = outcome.error
    return error.type.rpartition("/")[2], error.status, str(error.detail)
