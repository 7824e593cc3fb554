"""What an invocation cost."""

from lowtide.model.base import Noun

__all__ = ["Spent", "Usage"]


class Usage(Noun, frozen=True, kw_only=True):
    """Measured by execute for one invocation. Milliseconds, bytes, counts.

    ``bytes_in`` are those of the results of effects as the journal has them, ``bytes_out`` of what effects were given.
    Tokens are those that answers of models said were read and written (``lowtide.runtime.tokens``).
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
    input_tokens: int = 0
    output_tokens: int = 0
    effect_kinds: dict[str, int] = {}


class Spent(Noun, frozen=True, kw_only=True, gc=False):
    """What one entry of a task took, told with the fact that it ended or is tried again. Milliseconds and bytes.

    ``duration_ms`` is since the entry began, ``None`` where that was in an invocation before; ``effect`` is the kind of
    the effect that it performed, if it did, and ``active_ms`` what that took.
    """

    duration_ms: float | None = None
    effect: str = ""
    active_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
