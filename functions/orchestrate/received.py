"""What execute reports, whole: references are followed before the transaction that applies it."""

from __future__ import annotations

import msgspec

from lowtide.model.base import ExecutionId
from lowtide.wire.claims import referred
from lowtide.wire.types import Ended

from .outcomes import Report, decode
from .store import executions
from .work import Desk

__all__ = ["report_of"]


async def report_of(desk: Desk, execution: str, event_type: str, body: bytes) -> Report | None:
    """The report in ``body``, which is known to be execute's; ``None`` where there is no such execution.

    States and outputs stay where they are kept; only a parent that waits gets the output of its child. Raises
    :class:`lowtide.errors.InvalidEvent`, :class:`lowtide.errors.PayloadLost`, :class:`lowtide.errors.Unavailable`.
    """
    report = decode(event_type, body) if referred(body) is None else None
    if report is not None and not (isinstance(report, Ended) and report.payload is not None):
        return report
    if not executions.is_id(execution):
        return None
    found = await desk.database.run(lambda tx: executions.whose(tx, execution))
    if found is None:
        return None
    namespace, parent = found
    if report is None:
        report = decode(event_type, await desk.claims.check_out(namespace, ExecutionId(execution), body))
    if isinstance(report, Ended) and report.payload is not None and parent is not None:
        return msgspec.structs.replace(report, output=await desk.claims.output(namespace, report))
    return report
