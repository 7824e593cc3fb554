"""``call: await-callback`` and ``call: human-task`` of the default catalog: an ``Await`` that says who is asked.

The arguments have passed the schemas of ``dsl/outside/builtin``. Whether the answer or the end of its time came first
is decided by whoever feeds the events, once; here one of them comes, and that is it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from lowtide.engine.host import WRONG_SCHEMA
from lowtide.engine.run import PENDING, Done, Result, Run, frame_id
from lowtide.errors import TaskFailed
from lowtide.model.answer import BY, answered_type, expired_type
from lowtide.model.base import JSON, Millis, iso
from lowtide.model.command import Ask, Await, AwaitFilter, Escalation, HumanTask, Otherwise
from lowtide.model.duration import to_millis, write
from lowtide.model.error import StandardType, standard_error
from lowtide.model.event import EventsReceived
from lowtide.model.state import CallBody, TaskFrame

__all__ = ["advance", "start"]

_CALLBACK: Final = "lowtide:await-callback"


def start(run: Run, call: str, frame: TaskFrame, arguments: JSON) -> Result:
    given = arguments["given"]
    ask = _callback(given) if call == _CALLBACK else _task(run, frame_id(frame), given)
    types = (answered_type(ask.kind), expired_type(ask.kind))
    filters = tuple(
        AwaitFilter(index, with_={"type": event_type, "subject": frame.ref}) for index, event_type in enumerate(types)
    )
    frame.body = CallBody()
    command = Await(id=frame_id(frame), need="any", filters=filters, since=run.now, ask=ask)
    run.issue(command)
    run.fact(frame, "waiting", wait=command)
    return PENDING


def advance(run: Run, frame: TaskFrame) -> Result:
    event = run.arrivals.get(frame_id(frame))
    if not isinstance(event, EventsReceived):
        return PENDING
    command = run.state.pending[frame_id(frame)]
    assert isinstance(command, Await)
    assert command.ask is not None
    run.retract(frame_id(frame))
    received = event.events[0].event
    came = received.get("type") == answered_type(command.ask.kind)
    if command.ask.task is not None:
        return _done(run, command, command.ask.task, received, came=came)
    if not came:
        raise _failed("timeout", f"nobody called the callback URL before {iso(_until(command, run.now))}")
    return Done(received.get("data"))


def _done(run: Run, command: Await, task: HumanTask, received: dict[str, JSON], *, came: bool) -> Result:
    at = iso(run.now)
    if came:
        data = received.get("data")
        wrong = [] if task.form is None else run.host.violations(task.form, data)
        if wrong:  # orchestrate has refused it before; an event of ``lowtide run`` may bring anything
            raise _failed("validation", f"the answer does not fit the form: {'; '.join(wrong)}")
        return Done({"status": "completed", "data": data, "by": received.get(BY), "at": at})
    if task.otherwise is None:
        given = write(_until(command, run.now) - command.since)
        raise _failed("timeout", f"nobody completed the task {task.title!r} within {given}")
    return Done({"status": "expired", "data": task.otherwise.data, "by": None, "at": at})


# ---------------------------------------------------------------- what is asked


def _callback(given: dict[str, JSON]) -> Ask:
    callback = given["callback"]
    try:
        moment = datetime.fromisoformat(callback["expires"])
    except ValueError as error:
        raise _failed("validation", f"`callback.expires` is no moment: {callback['expires']!r}") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Ask(key=callback["id"], until=Millis(int(moment.timestamp() * 1000)))


def _task(run: Run, key: str, given: dict[str, JSON]) -> Ask:
    until = None if given.get("deadline") is None else _after(run, given["deadline"], "deadline")
    steps = [
        Escalation(_after(run, step["after"], f"escalation[{number}].after"), _assignee(step["assignee"]))
        for number, step in enumerate(given.get("escalation") or ())
    ]
    late = next((step for step in steps if until is not None and step.at >= until), None)
    if late is not None:
        raise _failed("validation", f"the escalation to {late.assignee} does not come before the deadline")
    otherwise = Otherwise(given["default"]) if "default" in given else None
    if otherwise is not None and until is None:
        raise _failed("validation", "a `default` is what counts when the `deadline` is over: give one")
    form = given.get("form")
    _check(run, form, otherwise)
    task = HumanTask(
        title=given["title"],
        assignee=_assignee(given["assignee"]),
        description=given.get("description") or "",
        form=form,
        data=given.get("data"),
        escalation=tuple(sorted(steps, key=lambda step: step.at)),
        otherwise=otherwise,
    )
    return Ask(key=key, until=until, task=task)


def _check(run: Run, form: JSON, otherwise: Otherwise | None) -> None:
    """A form that nothing fits would never be completed: that is said before anybody is asked."""
    if form is None:
        return
    wrong = [text for text in run.host.violations(form, None) if text.startswith(WRONG_SCHEMA)]
    if wrong:
        raise _failed("validation", f"`form` is no JSON Schema: {wrong[0]}")
    wrong = [] if otherwise is None else run.host.violations(form, otherwise.data)
    if wrong:
        raise _failed("validation", f"the `default` does not fit the form: {'; '.join(wrong)}")


def _assignee(given: dict[str, Any]) -> str:
    return f"user:{given['user']}" if "user" in given else f"group:{given['group']}"


def _after(run: Run, length: JSON, what: str) -> Millis:
    try:
        return run.after(to_millis(length))
    except ValueError as error:
        raise _failed("validation", f"`{what}` is no duration: {error}") from error


def _until(command: Await, now: Millis) -> Millis:
    """Until when there was time; what has no end ends only by an event of somebody's making."""
    return now if command.ask is None or command.ask.until is None else command.ask.until


def _failed(kind: StandardType, detail: str) -> TaskFailed:
    return TaskFailed(standard_error(kind, detail))
