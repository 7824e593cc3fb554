"""Where the standard's own data lies: beside this checkout, never in it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["EXAMPLES", "FEATURES"]

_SPECIFICATION = Path(__file__).resolve().parents[3] / "shared" / "spec"

FEATURES = sorted((_SPECIFICATION / "ctk" / "features").glob("*.feature"))
EXAMPLES = sorted((_SPECIFICATION / "examples").glob("*.yaml"))
