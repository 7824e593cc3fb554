"""Which Python modules the deployables are: ``lowtide.functions.execute`` in an installed wheel, ``functions.execute``
in a checkout. The wheel's come first: a user's folder may well have a package called ``functions``."""

from __future__ import annotations

import importlib.util
import sys
from typing import Final

from lowtide.errors import Misconfigured

__all__ = ["BROKER", "command", "module_of"]

BROKER: Final = "lowtide.local.broker"

_MODULES: Final = {
    "execute": "functions.execute",
    "ingest": "functions.ingest",
    "orchestrate": "functions.orchestrate",
    "analytics": "analytics_api",
}


def module_of(service: str) -> str:
    """Raises :class:`lowtide.errors.Misconfigured` where the deployable is not installed."""
    name = _MODULES[service]
    for candidate in (f"lowtide.{name}", name):
        try:
            if importlib.util.find_spec(candidate) is not None:
                return candidate
        except ModuleNotFoundError:
            continue
    raise Misconfigured(f"the deployable {service} is not installed; install lowtide[local]")


def command(module: str, *arguments: str) -> list[str]:
    """What to execute so that the module runs under this interpreter, in this environment."""
    return [sys.executable, "-m", module, *arguments]
