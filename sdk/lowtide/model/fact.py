"""Facts for the timeline: what the history shows of a task. Idempotent: the same turn gives the same facts."""

from typing import Literal

from lowtide.model.base import JSON, Millis, Noun
from lowtide.model.error import Error
from lowtide.model.usage import Spent

__all__ = ["Fact", "TaskStatus"]

TaskStatus = Literal["running", "waiting", "retried", "skipped", "cancelled", "faulted", "completed"]


class Fact(Noun, frozen=True, kw_only=True, gc=False):
    """One change of one task's status.

    ``task`` identifies the entry of the task (reference and entry numbers), so that two entries are two rows.
    ``number`` orders the facts of an execution: it grows by one with each. ``keys`` are the correlation keys that a
    listener resolved, once it is completed. ``wait`` says what a task waits for, and a task that is retried until when
    (``lowtide.engine.waits``). ``spent`` is measured by the driver, never said by the engine.
    """

    number: int
    task: str
    name: str
    reference: str
    kind: str
    status: TaskStatus
    at: Millis
    attempt: int = 1
    error: Error | None = None
    keys: dict[str, JSON] = {}
    wait: dict[str, JSON] | None = None
    spent: Spent | None = None
