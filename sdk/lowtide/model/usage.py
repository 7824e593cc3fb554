"""What an invocation cost."""

from lowtide.model.base import Noun

__all__ = ["Usage"]


class Usage(Noun, frozen=True, kw_only=True):
    """Measured by execute for one invocation. Milliseconds, bytes, counts."""

    active_ms: float = 0.0
    cpu_ms: float = 0.0
    memory_bytes: int = 0
    cold_start: bool = False
    cold_start_ms: float = 0.0
    queueing_ms: float = 0.0
    turns: int = 0
    effects: int = 0
    records: int = 0
