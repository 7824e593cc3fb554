"""Lowtide: a serverless workflow engine that costs nothing while workflows wait.

What lives here: the shared core of the four deployables (nouns, language, engine, driver, wire formats, clients,
command line, laptop platform). What does not: the deployables themselves (``functions/``, ``analytics_api/``).
START HERE: ``ARCHITECTURE.md`` at the root of the repository.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowtide.runtime.steps import StepContext, step

__all__ = ["StepContext", "__version__", "step"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``step`` and ``StepContext`` are found when they are asked for: every process imports this package."""
    if name in {"step", "StepContext"}:
        from lowtide.runtime import steps

        return getattr(steps, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
