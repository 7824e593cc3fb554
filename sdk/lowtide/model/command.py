"""What the engine wants done. Active commands need this process; passive ones wait for the world.

A command's ``id`` is the task's reference, ``@``, and the entry numbers of the frames above it: it never repeats
within an execution, also across jumps back and retries around retries.
"""

from typing import Literal, TypeAlias

from lowtide.model.base import JSON, Millis, Noun
from lowtide.model.process import Return

__all__ = [
    "Active",
    "Ask",
    "AskKind",
    "Await",
    "AwaitFilter",
    "Command",
    "Container",
    "Escalation",
    "HumanTask",
    "Otherwise",
    "Passive",
    "Perform",
    "Publish",
    "RunChild",
    "RunContainer",
    "Sleep",
]


class _Wanted(Noun, frozen=True, kw_only=True, tag_field="do"):
    id: str


class Perform(_Wanted, frozen=True, kw_only=True, tag="perform"):
    """Perform a call. ``call`` names the effect (``http``, ``step`` …), ``arguments`` are evaluated.

    ``step`` calls carry ``{"name": …, "with": …}``. ``reference`` is the task's JSON pointer, for errors and logs.
    """

    call: str
    arguments: JSON
    reference: str
    timeout: int | None = None
    """Milliseconds that the effect may take, or ``None`` for the effect's own default."""


class Publish(_Wanted, frozen=True, kw_only=True, tag="publish"):
    """Publish one CloudEvent, given in JSON form with id, source, type, time and specversion."""

    event: dict[str, JSON]
    reference: str


class Sleep(_Wanted, frozen=True, kw_only=True, tag="sleep"):
    """Feed ``TimerFired`` at ``until`` (a wait, a retry's delay or a deadline, as ``purpose`` says)."""

    until: Millis
    purpose: Literal["wait", "retry", "deadline"] = "wait"


class AwaitCorrelation(Noun, frozen=True):
    from_: str
    known: bool = False
    expect: JSON = None


class AwaitFilter(Noun, frozen=True):
    """One filter that an event may match.

    ``index`` is its place in the task (negative: -1 - its place in the ``until`` strategy). ``with_`` maps attribute
    names to literals or ``regex:…`` texts, ``expressions`` to jq programs that must be truthy: on the event's data for
    ``data``, on the whole event otherwise. ``variables`` are the values of variables that the programs use.
    ``correlate`` maps a key to its jq ``from`` (on the whole event) and the expected value, when one is known.
    """

    index: int
    with_: dict[str, JSON] = {}
    expressions: dict[str, str] = {}
    variables: dict[str, JSON] = {}
    correlate: dict[str, AwaitCorrelation] = {}

    @property
    def is_correlated(self) -> bool:
        """Whether it knows what to expect: such a listener sees events from before it was issued, too."""
        return any(correlation.known for correlation in self.correlate.values())


AskKind: TypeAlias = Literal["callback", "task"]
"""Who is asked: whoever calls a one-time URL, or a person."""


class Escalation(Noun, frozen=True):
    """From ``at`` on the task is another's; whoever had claimed it, has not any more."""

    at: Millis
    assignee: str


class Otherwise(Noun, frozen=True):
    """What counts where nobody has answered in time."""

    data: JSON = None


class HumanTask(Noun, frozen=True, kw_only=True):
    """``assignee`` is ``user:NAME`` or ``group:NAME``; ``form`` the JSON Schema that the answer's data must fit,
    ``data`` what the person is shown; without ``otherwise`` the end of its time is a ``timeout`` error."""

    title: str
    assignee: str
    description: str = ""
    form: JSON = None
    data: JSON = None
    escalation: tuple[Escalation, ...] = ()
    otherwise: Otherwise | None = None


class Ask(Noun, frozen=True, kw_only=True):
    """``key`` tells it from all else that its execution asks; after ``until`` no answer counts any more, and an
    ``expired`` event is the answer. Without a ``task`` it is a callback."""

    key: str
    until: Millis | None = None
    task: HumanTask | None = None

    @property
    def kind(self) -> AskKind:
        return "callback" if self.task is None else "task"


class Await(_Wanted, frozen=True, kw_only=True, tag="await"):
    """Feed ``EventsReceived`` for events that match.

    ``need`` says when a waiting execution is worth waking: ``any`` one match, or ``all`` filters matched once each.
    ``filters`` are those still open. ``since``: the turn's time at which the listener was issued. ``ask``: no event of
    the world is awaited, but the answer of somebody who is asked.
    """

    need: Literal["any", "all"]
    filters: tuple[AwaitFilter, ...]
    since: Millis
    ask: Ask | None = None


class RunChild(_Wanted, frozen=True, kw_only=True, tag="child"):
    """Run another workflow and, unless ``detached``, feed ``ChildEnded``.

    A detached child is an active command: it is done once its start is handed over.
    """

    namespace: str
    workflow: str
    reference: str
    version: str | None = None
    input: JSON = None
    detached: bool = False


class Container(Noun, frozen=True, kw_only=True):
    """What a container is made of, evaluated and checked (dsl-reference.md, "Container Process").

    ``command`` is a text for the image's shell, whose ``$1`` … are ``arguments``; without it they are argv of the
    image's own program. ``ports`` maps ports of the machine to ports of the container, ``volumes`` names of volumes to
    absolute paths. ``after`` in milliseconds, with ``eventually``.
    """

    image: str
    name: str | None = None
    command: str | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    stdin: str = ""
    ports: dict[str, int] = {}
    volumes: dict[str, str] = {}
    pull: Literal["ifNotPresent", "always", "never"] = "ifNotPresent"
    cleanup: Literal["always", "never", "eventually"] = "always"
    after: int = 0


class RunContainer(_Wanted, frozen=True, kw_only=True, tag="container"):
    """Run a container and, unless ``detached``, feed ``EffectSucceeded`` with what ``wanted`` asks for, or
    ``EffectFailed``.

    A detached one is an active command: it is done once its start is handed over.
    """

    container: Container
    reference: str
    wanted: Return = "stdout"
    timeout: int | None = None
    """Milliseconds from the turn that issued it after which nobody waits for it any more; the task's deadline."""
    detached: bool = False


Active: TypeAlias = Perform | Publish
Passive: TypeAlias = Sleep | Await | RunChild | RunContainer
Command: TypeAlias = Active | Passive
