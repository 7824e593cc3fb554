"""The functions that every default catalog has: ``create-callback``, ``await-callback``, ``human-task``.

They stand below ``functions`` as those of any catalog do. Their own calls lead to what the engine and execute do
themselves; their schemas say which arguments they take.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["BUILT_IN", "read_builtin"]

_FOLDER: Final = Path(__file__).parent
BUILT_IN: Final = ("await-callback:1.0.0", "create-callback:1.0.0", "human-task:1.0.0")


def read_builtin(path: str) -> bytes | None:
    """The document at this path of a catalog, where it is one of ours."""
    known = {f"functions/{one.replace(':', '/')}/function.yaml" for one in BUILT_IN}
    return (_FOLDER / path).read_bytes() if path in known else None
