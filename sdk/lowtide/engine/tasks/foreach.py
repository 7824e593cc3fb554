"""``foreach`` of listeners and subscriptions: tasks for each event or message, one after the other, in the order they
came (dsl-reference.md, "Subscription Iterator")."""

from __future__ import annotations

from lowtide.engine.flow import advance_sequence
from lowtide.engine.render import check_schema, render
from lowtide.engine.run import PENDING, Place, Result, Run
from lowtide.engine.scope import Scope
from lowtide.model.base import JSON
from lowtide.model.plan import Foreach
from lowtide.model.state import ListenBody, Sequence, SubscriptionBody, TaskFrame

__all__ = ["iterate"]


def iterate(
    run: Run, foreach: Foreach, body: ListenBody | SubscriptionBody, item: JSON, frame: TaskFrame, place: Place
) -> Result:
    """Perform, or go on with, the iteration for one item; its output joins ``body.outputs``. ``exit`` ends it alone.

    ``Done.over`` where the workflow ends in it.
    """
    inner = place.with_variables({foreach.item: item, foreach.at: body.index})
    if body.seq is None:
        if run.pause():
            return PENDING
        body.seq = Sequence(data=item)
    result = advance_sequence(run, foreach.do, body.seq, f"{frame.path}.{body.index + 1}", inner)
    if result is PENDING:
        return PENDING
    body.seq = None
    body.outputs.append(_shape(run, foreach, frame, inner, result.output))
    body.index += 1
    return result


def _shape(run: Run, foreach: Foreach, frame: TaskFrame, inner: Place, raw: JSON) -> JSON:
    output = raw
    if foreach.output is not None:
        if foreach.output.as_ is not None:
            output = render(run, foreach.output.as_, raw, Scope(run, inner, "output", frame, raw_output=raw))
        check_schema(run, foreach.output.schema, output, "iteration's output")
    run.depths.check(output, "iteration's output")
    if foreach.export is not None:
        if foreach.export.as_ is not None:
            scope = Scope(run, inner, "export", frame, output=output, raw_output=raw)
            inner.holder.context = render(run, foreach.export.as_, output, scope)
            run.depths.check(inner.holder.context, "exported context")
        check_schema(run, foreach.export.schema, inner.holder.context, "exported context")
    return output
