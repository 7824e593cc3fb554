"""Why an execution is where it is, in sentences and as JSON: for what, since when, and what would wake it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from lowtide.engine.frames import open_frames
from lowtide.engine.run import frame_id
from lowtide.model.base import JSON, iso
from lowtide.model.command import Ask, Await, AwaitFilter, RunChild, RunContainer, Sleep
from lowtide.model.event import EventsReceived
from lowtide.model.state import ListenBody, State, TaskFrame, TryBody
from lowtide.wire import json
from lowtide.wire.records import LeaseState

from .nouns import Execution, Passive, millis
from .rule import command_of
from .store.standing import Standing
from .store.wakes import CANCEL

__all__ = ["explain"]

_ASKED: Final = "lowtide executions"


def explain(
    execution: Execution, state: State | None, standing: Standing, lease: LeaseState | None, *, asked: bool
) -> dict[str, JSON]:
    """``state`` is its newest snapshot, ``None`` where there is none or it cannot be read; ``lease`` is what the
    journal says, ``None`` where the execution was never opened; ``asked``: whether it was.

    ``{execution, phase, since, sentences, waits, arrived, dispatch}``; of the waits each has its own sentence.
    """
    waits = _waits(execution, standing, state) if execution.phase in ("waiting", "suspended") else []
    return {
        "execution": execution.id,
        "phase": execution.phase,
        "since": _since(execution, standing, state),
        "sentences": [*_phase(execution, standing, lease, asked=asked), *(wait["sentence"] for wait in waits)],
        "waits": waits,
        "arrived": [
            {"key": wake.key, "command": command_of(wake.event), "at": _text(wake.at)} for wake in standing.wakes
        ],
        "dispatch": _dispatch(standing, lease),
    }


def _since(execution: Execution, standing: Standing, state: State | None) -> JSON:
    """When it came into its phase, as far as is known."""
    if execution.ended_at is not None:
        return _text(execution.ended_at)
    if execution.phase in ("waiting", "suspended") and state is not None:
        return iso(state.now)
    if execution.phase == "running" and standing.dispatch is not None:
        return _text(standing.dispatch.issued_at)
    return _text(execution.created_at)


def _dispatch(standing: Standing, lease: LeaseState | None) -> JSON:
    dispatch = standing.dispatch
    if dispatch is None:
        return None
    return {
        "epoch": dispatch.epoch,
        "issuedAt": _text(dispatch.issued_at),
        "sentAt": _text(dispatch.sent_at),
        "lostTimes": dispatch.attempts,
        "sendsAt": _text(standing.sending[0]) if standing.sending else None,
        "sendAttempts": standing.sending[1] if standing.sending else None,
        "lostAt": _text(dispatch.next_try),
        "lease": None if lease is None else {"epoch": lease.epoch, "alive": lease.alive, "closed": bool(lease.closing)},
    }


# ---------------------------------------------------------------- phases


def _phase(execution: Execution, standing: Standing, lease: LeaseState | None, *, asked: bool) -> list[str]:
    match execution.phase:
        case "completed" | "cancelled":
            why = f": {execution.reason}" if execution.reason else ""
            return [f"It {'was cancelled' if execution.phase == 'cancelled' else 'has completed'}{why}."]
        case "faulted":
            why = execution.error_type or "see its error"
            return [f"It has faulted ({why}). To go on from there: {_ASKED} retry {execution.id}"]
        case "suspended":
            return _suspended(execution, standing)
        case "waiting":
            many = len(execution.commands)
            rest = "" if many == 1 else f" {many} things; the first that is complete wakes it"
            return [f"It waits for{rest or ' one thing'}. No process runs for it meanwhile."]
        case "pending":
            return [f"It has not begun. {_way(standing, lease, asked=asked)}"]
        case "running":
            return [_way(standing, lease, asked=asked), *_orders(execution, standing)]
        case never:
            assert_never(never)


def _suspended(execution: Execution, standing: Standing) -> list[str]:
    kept = len(standing.wakes)
    came = " One wake has come meanwhile and is kept." if kept == 1 else f" {kept} wakes have come and are kept."
    again = " Its newest dispatch is issued again then." if standing.dispatch is not None else ""
    return [
        f"It is suspended: {execution.reason or 'no reason was given'}. Nothing wakes it until it is resumed: "
        f"{_ASKED} resume {execution.id}.{again}{came if kept else ''}"
    ]


def _orders(execution: Execution, standing: Standing) -> list[str]:
    """What an operator wants of it while it runs."""
    found = []
    if execution.suspend_asked is not None:
        found.append(f"It is suspended as soon as its calls in flight have ended: {execution.suspend_asked}.")
    if any(wake.key == CANCEL for wake in standing.wakes):
        due = standing.due.get(CANCEL)
        until = f"; where its owner does not obey, another one cancels it at {_text(due)}" if due else ""
        found.append(f"It was asked to cancel{until}.")
    return found


def _way(standing: Standing, lease: LeaseState | None, *, asked: bool) -> str:
    """Where its newest dispatch is."""
    dispatch = standing.dispatch
    if dispatch is None:
        return "Its outcome is being stored."
    name = f"Its dispatch of epoch {dispatch.epoch}"
    if lease is not None and lease.epoch == dispatch.epoch:
        if lease.closing is not None:
            return f"Its invocation of epoch {dispatch.epoch} has ended; the outcome is on its way."
        if lease.alive:
            return f"A process performs epoch {dispatch.epoch}, since {_text(dispatch.issued_at)} at the earliest."
        if lease.owner != dispatch.gone:
            return f"The process that performed epoch {dispatch.epoch} is gone; the next tick issues it again."
    if standing.sending is not None:
        at, attempts = standing.sending
        tried = f", after {attempts} attempts" if attempts else ""
        limit = "" if dispatch.sent_at else "; so many may be out at a time, others may be before it"
        return f"{name} waits in the outbox since {_text(dispatch.issued_at)}, to be sent at {_text(at)}{tried}{limit}."
    if dispatch.sent_at is None:
        return f"{name} waits in line since {_text(dispatch.issued_at)}: a limit or a pause of its workflow holds it."
    unknown = "" if asked else " The journal could not be asked whether anybody has taken it."
    lost = f" It was lost {dispatch.attempts} times before." if dispatch.attempts else ""
    return (
        f"{name} was sent at {_text(dispatch.sent_at)}; nobody has begun to perform it, and from "
        f"{_text(dispatch.next_try)} on it counts as lost and is sent again.{lost}{unknown}"
    )


# ---------------------------------------------------------------- waits


def _waits(execution: Execution, standing: Standing, state: State | None) -> list[dict[str, JSON]]:
    frames = {} if state is None else {frame_id(frame): frame for frame in open_frames(state)}
    return [_wait(command, standing, frames.get(_entry_of(command.id))) for command in execution.commands]


def _entry_of(command: str) -> str:
    """The entry of a task that a command belongs to: deadlines and delays have ids that begin with it."""
    reference, at, rest = command.rpartition("@")
    return reference + at + rest.partition("!")[0]


def _wait(command: Passive, standing: Standing, frame: TaskFrame | None) -> dict[str, JSON]:
    place = command.id.rpartition("@")[0] or "the workflow"
    found: dict[str, JSON] = {
        "command": command.id,
        "task": place,
        "since": iso(frame.started) if frame is not None else None,
        "arrived": sum(command_of(wake.event) == command.id for wake in standing.wakes),
    }
    match command:
        case Sleep():
            return {**found, **_timer(command, place, standing, frame)}
        case Await(ask=Ask() as ask):
            return {**found, **_asked(ask, command.id, place, standing)}
        case Await():
            return {**found, **_listener(command, place, standing, frame)}
        case RunChild():
            child = standing.children.get(command.id)
            named = f"workflow {command.namespace}/{command.workflow}"
            runs = f"execution {child.name} is {child.phase}" if child else "its execution is about to be started"
            sentence = f"{place} runs {named} and waits for its end; {runs}."
            return {**found, "kind": "workflow", "child": child and child.name.partition(" ")[0], "sentence": sentence}
        case RunContainer():
            held = standing.containers.get(command.id)
            runs = "is about to be started" if held is None or held.phase == "wanted" else f"is {held.phase}"
            sentence = f"{place} waits for the end of a container of {command.container.image}, which {runs}."
            return {**found, "kind": "container", "container": held and held.name, "sentence": sentence}
        case never:
            assert_never(never)


def _timer(command: Sleep, place: str, standing: Standing, frame: TaskFrame | None) -> dict[str, JSON]:
    due = _text(standing.due[command.id]) if command.id in standing.due else iso(command.until)
    said = {
        "wait": f"{place} waits until {due}.",
        "deadline": f"{place} times out at {due}.",
        "retry": f"{place} is tried again at {due}.",
    }[command.purpose]
    more: dict[str, JSON] = {}
    if command.purpose == "retry" and frame is not None and isinstance(frame.body, TryBody):
        body = frame.body
        more = {"attempt": body.attempt, "error": body.error.as_json() if body.error else None}
        why = f" with {body.error.type.rpartition('/')[2]} ({body.error.status})" if body.error else ""
        said = f"Attempt {body.attempt} of {place} failed{why}; the next one begins at {due}."
    return {"kind": "timer", "purpose": command.purpose, "due": due, **more, "sentence": said}


def _listener(command: Await, place: str, standing: Standing, frame: TaskFrame | None) -> dict[str, JSON]:
    body = frame.body if frame is not None and isinstance(frame.body, ListenBody) else None
    consumed = len(body.consumed) if body is not None else 0
    matched = {
        received.filter
        for wake in standing.wakes
        if isinstance(wake.event, EventsReceived) and wake.event.command == command.id
        for received in wake.event.events
    }
    since = _text(standing.listening[command.id]) if command.id in standing.listening else None
    wanted = "; ".join(_described(one) for one in command.filters) or "any event"
    each = "one of each" if command.need == "all" and len(command.filters) > 1 else "one"
    rest = f" It has consumed {consumed} so far." if consumed else ""
    return {
        "kind": "events",
        "need": command.need,
        "listeningSince": since,
        "consumed": consumed,
        "filters": [
            {
                "index": one.index,
                "with": one.with_,
                "expressions": one.expressions,
                "correlate": {key: value.expect for key, value in one.correlate.items() if value.known},
                "matched": one.index in matched,
            }
            for one in command.filters
        ],
        "sentence": f"{place} listens for {each} of: {wanted}.{rest}",
    }


def _asked(ask: Ask, command: str, place: str, standing: Standing) -> dict[str, JSON]:
    row = standing.asks.get(command)
    until, since = None if ask.until is None else iso(ask.until), None if row is None else _text(row.created_at)
    found: dict[str, JSON] = {"kind": ask.kind, "askedSince": since, "until": until}
    if row is None:
        return {**found, "sentence": f"{place} was answered; it goes on with that."}
    if ask.task is None:
        sentence = (
            f"{place} waits since {since} for somebody to POST to a callback URL, until {until}; the URL is in the "
            f"output of its create-callback, with the id {ask.key}."
        )
        return {**found, "callback": ask.key, "sentence": sentence}
    assignee = row.assignee or ask.task.assignee
    return {
        **found,
        "id": str(row.id),
        "title": ask.task.title,
        "assignee": assignee,
        "claimedBy": row.claimed_by,
        "escalation": [{"at": iso(step.at), "assignee": step.assignee} for step in ask.task.escalation],
        "sentence": f"{place} waits since {since} for {_who(assignee)} to complete task {row.id}, {ask.task.title!r}"
        f"{f', which {row.claimed_by} has claimed' if row.claimed_by else ''}"
        f"{f', until {until}' if until else ''}. "
        f"To complete it: lowtide tasks complete {row.id} -n {row.namespace} --by NAME --data JSON",
    }


def _who(assignee: str) -> str:
    kind, _, name = assignee.partition(":")
    return name if kind == "user" else f"somebody of {name}"


def _described(wanted: AwaitFilter) -> str:
    attributes = [f"{name} {value}" for name, value in wanted.with_.items()]
    attributes += [f"{name} such that {source}" for name, source in wanted.expressions.items()]
    attributes += [f"{key} equal to {_brief(value.expect)}" for key, value in wanted.correlate.items() if value.known]
    until = "to end it: " if wanted.index < 0 else ""
    return until + (", ".join(attributes) or "any event")


def _brief(value: JSON) -> str:
    text = json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:60]}…"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else iso(millis(moment))
