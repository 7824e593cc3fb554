"""``call: asyncapi`` with a ``subscription``: messages are consumed in order; the output is always an array.

The effect brings messages in batches, and each batch is journaled before anything is made of it. Here, in the pure
engine, they are looked at one by one: ``filter`` leaves messages out, ``until`` is evaluated before a message is
consumed (one that says so is given back), ``while`` after it. So the conditions see what ``foreach`` exported.

The command for the next batch tells the broker that the last one has been dealt with; the last command of a
subscription closes it and says how many messages of its last batch were consumed, so that the rest are given back.
"""

from __future__ import annotations

from typing import Final

from lowtide.engine.flow import body_scope
from lowtide.engine.frames import batch_id
from lowtide.engine.render import render, truthy
from lowtide.engine.run import PENDING, Done, Place, Result, Run
from lowtide.engine.tasks.foreach import iterate
from lowtide.engine.uri import expand_endpoints
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.duration import to_millis
from lowtide.model.error import standard_error
from lowtide.model.event import EffectFailed, EffectSucceeded
from lowtide.model.plan import Call, Expression
from lowtide.model.state import SubscriptionBody, TaskFrame

__all__ = ["advance", "is_subscription", "start"]

BATCH: Final = 100
"""The most messages of one batch; a ``foreach`` takes them one by one, so that each is acknowledged once it is done."""

PATIENCE: Final = 30_000
"""Milliseconds that one command waits for messages: an invocation is never held longer by one that does not come."""

MOST: Final = 10_000
"""The most messages of one subscription: they are its output, and part of the state until it ends."""


def is_subscription(arguments: JSON) -> bool:
    return isinstance(arguments, dict) and arguments.get("subscription") is not None


def start(run: Run, task: Call, frame: TaskFrame, place: Place, arguments: JSON) -> Result:
    body = frame.body = SubscriptionBody()
    period = _consume(arguments).get("for")
    if period is not None:
        try:
            body.ends = run.after(to_millis(period))
        except ValueError as error:
            detail = f"`with.subscription.consume.for` is no duration: {error}"
            raise TaskFailed(standard_error("expression", detail)) from error
    _ask(run, task, frame, body, arguments)
    return PENDING


def advance(run: Run, task: Call, frame: TaskFrame, place: Place) -> Result:
    body = frame.body
    assert isinstance(body, SubscriptionBody)
    match run.take(batch_id(frame, body)):
        case None:
            if batch_id(frame, body) in run.state.pending:
                return PENDING
        case EffectSucceeded() | EffectFailed() if body.closing:
            return Done(
                list(body.outputs)
            )  # what was consumed is safe; a broker that did not hear of it sends it again
        case EffectSucceeded(output=output):
            run.depths.check(output, "batch of messages")
            body.messages, body.looked = output["messages"], 0
            body.cursor, body.ended = output.get("cursor"), output.get("ended", False)
        case EffectFailed(error=error):
            raise TaskFailed(error)
        case other:
            raise AssertionError(f"a subscription does not go on by {other!r}")
    return _look(run, task, frame, place, body)


def _look(run: Run, task: Call, frame: TaskFrame, place: Place, body: SubscriptionBody) -> Result:
    """Deal with the messages of the batch, then ask for more, or close."""
    arguments = render(run, task.with_, frame.input, body_scope(run, frame, place))
    while body.looked < len(body.messages):
        if body.seq is None and run.pause():
            return PENDING
        result = _deal_with(run, task, frame, place, arguments)
        if result is PENDING:
            return PENDING
        if result.over:
            return Done(list(body.outputs), over=True)
        if result.then == "close":
            return _close(run, task, frame, body, arguments)
    if body.ended:
        return _over(arguments, body)
    if body.ends is not None and run.now >= body.ends:
        return _close(run, task, frame, body, arguments)
    if body.index >= MOST:
        detail = f"the subscription consumed {MOST} messages without an end; give it a smaller `amount`, or `for`"
        raise TaskFailed(standard_error("runtime", detail))
    _ask(run, task, frame, body, arguments)
    return PENDING


def _deal_with(run: Run, task: Call, frame: TaskFrame, place: Place, arguments: JSON) -> Result:
    """One message; ``Done.then`` is ``close`` where no more are wanted."""
    body = frame.body
    assert isinstance(body, SubscriptionBody)
    message, consume = body.messages[body.looked], _consume(arguments)

    def says(condition: JSON) -> bool:
        return truthy(run, Expression(str(condition)), message, body_scope(run, frame, place))

    if body.seq is None:
        left_out = arguments["subscription"].get("filter")
        if left_out is not None and not says(left_out):
            body.looked += 1
            return Done(None)
        if consume.get("until") is not None and says(consume["until"]):
            return Done(None, "close")
    over = False
    if task.foreach is None:
        body.outputs.append(message)
        body.index += 1
    else:
        result = iterate(run, task.foreach, body, message, frame, place)
        if result is PENDING:
            return PENDING
        over = result.over
    body.looked += 1
    enough = body.index >= consume["amount"] if "amount" in consume else False
    if not over and consume.get("while") is not None:
        enough = not says(consume["while"])
    return Done(None, "close" if enough else None, over)


def _over(arguments: JSON, body: SubscriptionBody) -> Result:
    """The other side has ended the stream: no command is needed to close it."""
    amount = _consume(arguments).get("amount")
    if amount is not None and body.index < amount:
        detail = f"the stream ended after {body.index} of the {amount} messages that were to be consumed"
        raise TaskFailed(standard_error("communication", detail))
    return Done(list(body.outputs))


def _ask(run: Run, task: Call, frame: TaskFrame, body: SubscriptionBody, arguments: JSON) -> None:
    limits = [PATIENCE]
    if frame.deadline is not None:
        limits.append(frame.deadline - run.now)
    wanted: dict[str, JSON] = {"take": _at_once(task, arguments, body), "cursor": body.cursor}
    if body.ends is not None:
        wanted["for"] = max(body.ends - run.now, 0)
    _issue(run, task, frame, body, arguments, wanted, timeout=max(min(limits), 1))


def _at_once(task: Call, arguments: JSON, body: SubscriptionBody) -> int:
    if task.foreach is not None:
        return 1
    amount = _consume(arguments).get("amount")
    return BATCH if amount is None else min(BATCH, amount - body.index)


def _close(run: Run, task: Call, frame: TaskFrame, body: SubscriptionBody, arguments: JSON) -> Result:
    body.closing = True
    _issue(run, task, frame, body, arguments, {"close": True}, timeout=None)
    return PENDING


def _issue(
    run: Run,
    task: Call,
    frame: TaskFrame,
    body: SubscriptionBody,
    arguments: JSON,
    wanted: dict[str, JSON],
    *,
    timeout: int | None,
) -> None:
    body.batch += 1
    wanted |= {"acknowledged": body.looked}
    body.messages, body.looked = [], 0
    run.issue(
        Perform(
            id=batch_id(frame, body),
            call=task.call,
            arguments=expand_endpoints(task.with_, arguments, frame.input) | {"subscription": wanted},
            reference=frame.ref,
            timeout=timeout,
        )
    )


def _consume(arguments: JSON) -> dict[str, JSON]:
    given = arguments["subscription"]
    found = given.get("consume") if isinstance(given, dict) else None
    return found if isinstance(found, dict) else {}
