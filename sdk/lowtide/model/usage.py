"""What an invocation cost."""

from lowtide.model.base import Noun

__all__ = ["Usage"]


class Usage(Noun, frozen=True, kw_only=True):
    """Measured by execute for one invocation. Milliseconds, bytes, counts.

    ``bytes_in`` are those of the results that effects gave, ``bytes_out`` of what effects were given, both as JSON.
    """

    active_ms: float = 0.0
    cpu_ms: float = 0.0
    memory_bytes: int = 0
    cold_start: bool = False
    cold_start_ms: float = 0.0
    queueing_ms: float = 0.0
    turns: int = 0
    effects: int = 0
    records: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    effect_kinds: dict[str, int] = {}
