"""execute as a functions-framework HTTP target: ``functions-framework --asgi --target execute --source target.py``.

The framework has one target per process, no lifespan and no probe routes; the target is the same application, built
when the first request comes.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lowtide.settings import ExecuteSettings

__all__ = ["execute"]


@cache
def _application() -> Any:
    # The framework runs this file outside of any package, so that a relative import has nothing to start from.
    package = "lowtide.functions" if find_spec("lowtide.functions") else "functions"
    return import_module(f"{package}.execute.app").create_app(ExecuteSettings.from_environment())


async def execute(request: Any) -> Any:
    """The target: takes Starlette's request and answers as ``POST /`` does."""
    from starlette.responses import Response

    class Relay(Response):
        """Lets the application answer for itself."""

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await _application()(scope, receive, send)

    return Relay()
