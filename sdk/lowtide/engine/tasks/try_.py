"""``try``: catches errors of its tasks, perhaps tries again after a delay, else performs ``catch.do``."""

from __future__ import annotations

from hashlib import blake2b

from lowtide.engine.flow import advance_sequence, body_scope
from lowtide.engine.frames import attempt_id, cancel_sequence, retry_id
from lowtide.engine.render import duration, truthy
from lowtide.engine.run import PENDING, Done, Place, Result, Run, frame_id
from lowtide.engine.scope import Scope
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Sleep
from lowtide.model.duration import LONGEST
from lowtide.model.error import Error, same_type, standard_error
from lowtide.model.plan import Catch, Retry, Template, Try
from lowtide.model.state import Sequence, TaskFrame, TryBody

__all__ = ["advance", "start"]


def start(run: Run, task: Try, frame: TaskFrame, place: Place) -> Result:
    frame.body = TryBody(since=run.now)
    _begin_attempt(run, task, frame, place)
    return advance(run, task, frame, place)


def advance(run: Run, task: Try, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, TryBody)
    while True:
        match body.stage:
            case "delay":
                if run.take(retry_id(frame, body)) is None:
                    return PENDING
                body.attempt += 1
                _begin_attempt(run, task, frame, place)
            case "try":
                try:
                    return _advance_try(run, task, frame, place)
                except TaskFailed as failure:
                    if not _handle(run, task, frame, place, failure.error):
                        raise
                    if run.pause():
                        return PENDING
            case "catch":
                return _advance_catch(run, task, frame, place)


def _begin_attempt(run: Run, task: Try, frame: TaskFrame, place: Place) -> None:
    body = frame.body
    assert isinstance(body, TryBody)
    body.stage, body.seq, body.error = "try", Sequence(data=frame.input), None
    retry = task.catch.retry
    if retry is not None and retry.attempt_duration is not None:
        length = duration(run, retry.attempt_duration, frame.input, body_scope(run, frame, place))
        run.issue(Sleep(id=attempt_id(frame, body), until=run.after(length), purpose="deadline"))


def _advance_try(run: Run, task: Try, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, TryBody)
    assert body.seq is not None
    if run.take(attempt_id(frame, body)) is not None:
        cancel_sequence(run, body.seq)
        raise TaskFailed(standard_error("timeout", f"attempt {body.attempt} took too long", instance=frame.ref))
    inside = Place(place.holder, place.variables, body.attempt, place.rebase, place.subject)
    return advance_sequence(run, task.try_, body.seq, f"{frame.path}.{body.attempt}", inside)


def _advance_catch(run: Run, task: Try, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, TryBody)
    assert body.seq is not None
    assert body.error is not None
    inside = place.with_variables({task.catch.as_: body.error.as_json()})
    result = advance_sequence(run, task.catch.do, body.seq, f"{frame.path}.0", inside)
    if result is PENDING or result.over:
        return result
    return Done(result.output, task.catch.then)


def _handle(run: Run, task: Try, frame: TaskFrame, place: Place, error: Error) -> bool:
    """Take the error if the filters want it: set up a retry, or ``catch.do``. ``False``: it is not ours."""
    body = frame.body
    assert isinstance(body, TryBody)
    catch = task.catch
    run.retract(attempt_id(frame, body))
    scope = Scope(run, place.with_variables({catch.as_: error.as_json()}), "body", frame)
    if not _catches(run, catch, frame.input, scope, error):
        return False
    body.error = error
    if catch.retry is not None:
        delay = _retry_delay(run, catch.retry, frame, scope)
        if delay is not None:
            body.stage, body.seq = "delay", None
            pause = Sleep(id=retry_id(frame, body), until=run.after(delay), purpose="retry")
            run.issue(pause)
            run.fact(frame, "retried", error, pause)
            return True
        if not catch.do and catch.then is None:
            # Retries are used up and nothing stands in their place: the error is not handled.
            return False
    body.stage, body.seq = "catch", Sequence(data=frame.input)
    return True


def _catches(run: Run, catch: Catch, value: JSON, scope: Scope, error: Error) -> bool:
    members = error.as_json()
    for name, expected in catch.errors.items():
        actual = members.get(name)
        same = same_type(expected, actual) if name == "type" and isinstance(actual, str) else expected == actual
        if not same:
            return False
    if catch.when is not None and not truthy(run, catch.when, value, scope):
        return False
    return catch.except_when is None or not truthy(run, catch.except_when, value, scope)


def _retry_delay(run: Run, retry: Retry, frame: TaskFrame, scope: Scope) -> int | None:
    """Milliseconds until the next attempt, or ``None`` where there is none (decision A-10)."""
    body = frame.body
    assert isinstance(body, TryBody)
    if retry.count is not None and body.attempt > retry.count:
        return None
    if retry.when is not None and not truthy(run, retry.when, frame.input, scope):
        return None
    if retry.except_when is not None and truthy(run, retry.except_when, frame.input, scope):
        return None

    def length(template: Template | None, default: int = 0) -> int:
        return default if template is None else duration(run, template, frame.input, scope)

    number = body.attempt
    delay: float = length(retry.delay)
    match retry.backoff:
        case "linear":
            delay += length(retry.increment, int(delay)) * (number - 1)
        case "exponential":
            delay = _grown(delay, retry.multiplier, number - 1)
        case "constant":
            pass
    if retry.max_delay is not None:
        delay = min(delay, length(retry.max_delay))
    low, high = length(retry.jitter_from), length(retry.jitter_to)
    delay += low + (high - low) * _uniform(run, frame)
    if retry.duration is not None and run.now + delay - body.since > length(retry.duration):
        return None
    return int(min(delay, LONGEST))


def _grown(delay: float, factor: float, times: int) -> float:
    """``delay * factor ** times``, as far as a duration may go."""
    for _ in range(times):
        if not 0 < delay < LONGEST or factor == 1:
            break
        delay *= factor
    return max(0.0, min(delay, LONGEST))


def _uniform(run: Run, frame: TaskFrame) -> float:
    """In [0, 1): from the event's random number and the attempt, so that one event can serve many retries."""
    body = frame.body
    assert isinstance(body, TryBody)
    text = f"{run.random!r} {frame_id(frame)} {body.attempt}"
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) / (1 << 48)
