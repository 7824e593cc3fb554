"""One turn while it is being computed: its inputs, what it collects, and its bounds."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Final

import msgspec

from lowtide.engine.depth import Depths
from lowtide.engine.host import Host
from lowtide.model.base import JSON, LATEST, Millis
from lowtide.model.command import Command
from lowtide.model.error import Error
from lowtide.model.event import Event
from lowtide.model.fact import Fact, TaskStatus
from lowtide.model.plan import Plan, Task
from lowtide.model.state import Branch, ListenBody, State, TaskFrame

__all__ = [
    "PENDING",
    "STEPS_PER_TURN",
    "Bodies",
    "Done",
    "Pending",
    "Place",
    "Result",
    "Run",
    "Subject",
    "frame_id",
    "name_of",
]

STEPS_PER_TURN: Final = 500
"""How many tasks a turn enters before it says ``more``."""


_NO_KEYS: Final[dict[str, JSON]] = {}


class Pending(Enum):
    """The result of a frame that waits for an event, or for the next turn."""

    PENDING = "pending"


PENDING: Final = Pending.PENDING


class Done(msgspec.Struct, gc=False):
    """A frame's output and where to go: ``None`` means the task's own ``then``.

    ``over``: a task below ended the workflow, so that nothing on the way out shapes or exports any more.
    """

    output: JSON
    then: str | None = None
    over: bool = False

    @property
    def ends(self) -> bool:
        """Whether the workflow ends here."""
        return self.over or self.then == "end"


Result = Done | Pending


class Subject(msgspec.Struct, gc=False):
    """The task that an extension extends, and where it stands in the document."""

    frame: TaskFrame
    pointer: str


class Place(msgspec.Struct, gc=False):
    """Where a frame stands: whose context it sees, its local variables, its attempt.

    ``rebase`` is set inside a function: document pointers that begin with its first member are shown as if they began
    with the second, the calling task's reference. ``subject`` is set inside an extension.
    """

    holder: State | Branch
    variables: dict[str, JSON]
    attempt: int = 1
    rebase: tuple[str, str] | None = None
    subject: Subject | None = None

    def with_variables(self, more: dict[str, JSON]) -> Place:
        variables = self.variables | more if self.variables else more
        return Place(self.holder, variables, self.attempt, self.rebase, self.subject)

    def ref(self, pointer: str) -> str:
        """The reference of the task at ``pointer``, as seen from this execution."""
        if self.rebase is None:
            return pointer
        old, new = self.rebase
        return new + pointer[len(old) :] if pointer.startswith(old) else pointer

    def pointer(self, ref: str) -> str:
        """Where the task of that reference stands in the document: the inverse of :meth:`ref`."""
        if self.rebase is None:
            return ref
        old, new = self.rebase
        return old + ref[len(new) :] if ref.startswith(new) else ref


def frame_id(frame: TaskFrame) -> str:
    return f"{frame.ref}@{frame.path}"


class Bodies(msgspec.Struct, frozen=True):
    """What task kinds do, by their two verbs: the flow calls them without knowing any kind."""

    start: Callable[[Run, Task, TaskFrame, Place], Result]
    advance: Callable[[Run, Task, TaskFrame, Place], Result]


class Run:
    """The turn in progress. ``arrivals`` are events by the command they answer, until a frame takes them.

    A plain class: each task writes to it, and a struct takes twice as long for that.
    """

    __slots__ = (
        "_told",
        "arrivals",
        "bodies",
        "commands",
        "depths",
        "host",
        "more",
        "now",
        "plan",
        "random",
        "retracted",
        "state",
        "steps_left",
    )

    def __init__(
        self, bodies: Bodies, plan: Plan, host: Host, state: State, now: Millis, random: float, steps_left: int
    ) -> None:
        self.bodies = bodies
        self.plan = plan
        self.host = host
        self.state = state
        self.now = now
        self.random = random
        self.arrivals: dict[str, Event] = {}
        self.commands: dict[str, Command] = {}
        self.retracted: list[str] = []
        self._told: list[tuple[str, str, str, int, TaskStatus, Error | None, dict[str, JSON], Command | None]] = []
        self.steps_left = steps_left
        self.more = False
        self.depths = Depths()

    def pause(self) -> bool:
        """Count one step; ``True`` where the turn has done its share and must stop here."""
        if self.steps_left <= 0:
            self.more = True
            return True
        self.steps_left -= 1
        return False

    def issue(self, command: Command) -> None:
        """Want something done; the same id again replaces what was wanted."""
        self.state.pending[command.id] = command
        self.commands[command.id] = command

    def after(self, length: float) -> Millis:
        """The moment so many milliseconds from now, as far as there are dates."""
        return Millis(int(min(self.now + length, LATEST)))

    def retract(self, command_id: str) -> None:
        """No longer want it (its effect, if it runs, is cancelled)."""
        self.arrivals.pop(command_id, None)
        if self.state.pending.pop(command_id, None) is not None and self.commands.pop(command_id, None) is None:
            self.retracted.append(command_id)

    def take(self, command_id: str) -> Event | None:
        """The event that answers a command, once; the command is then no longer pending."""
        event = self.arrivals.pop(command_id, None)
        if event is not None:
            self.state.pending.pop(command_id, None)
        return event

    def concerns(self, ref: str) -> bool:
        """Whether any event is for a frame at or below ``ref``."""
        return any(command_id.startswith(ref) for command_id in self.arrivals)

    def fact(
        self, frame: TaskFrame, status: TaskStatus, error: Error | None = None, wait: Command | None = None
    ) -> None:
        """Tell what became of a task, and ``wait``: for what it waits. What is noted keeps none of the frame's data
        alive."""
        body = frame.body
        keys = dict(body.keys) if type(body) is ListenBody and status == "completed" else _NO_KEYS
        self._told.append((frame.ref, frame.path, frame.kind, frame.attempt, status, error, keys, wait))

    def facts(self) -> tuple[Fact, ...]:
        """What was told in this turn: made at its end and all at once, which is faster than between the tasks."""
        return tuple(
            [
                Fact(
                    number=number,
                    task=f"{ref}@{path}",
                    name=name_of(ref),
                    reference=ref,
                    kind=kind,
                    status=status,
                    at=self.now,
                    attempt=attempt,
                    error=error,
                    keys=keys,
                    wait=None if wait is None else _waits_for(wait),
                )
                for number, (ref, path, kind, attempt, status, error, keys, wait) in enumerate(
                    self._told, start=self.state.facts + 1
                )
            ]
        )


def _waits_for(command: Command) -> dict[str, JSON]:
    from lowtide.engine.waits import wait_of  # few invocations begin to wait: others do not pay for it

    return wait_of(command)


@lru_cache(maxsize=4096)
def name_of(ref: str) -> str:
    """A task's name: the last segment of its JSON pointer, unescaped (RFC 6901)."""
    return ref.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
