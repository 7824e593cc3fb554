"""One outage in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.outages.figures import Span, p99, recovered
from tests.outages.orders import Placed
from tests.outages.witness import Witness

__all__ = ["Outage", "tell"]


@dataclass(frozen=True)
class Outage:
    """``during``: while PostgreSQL did not answer; the others: what is compared. Seconds since 1970."""

    name: str
    before: Span
    during: Span
    after: Span


def tell(outage: Outage, placed: Sequence[Placed], witness: Witness, say: Callable[[str], None]) -> None:
    spans = {"before": outage.before, "during": outage.during, "after": outage.after}
    accepted, ends = [one.accepted for one in placed], [one.ended for one in placed]
    back, until = outage.after.first, outage.after.last

    def counted(moments: Sequence[float]) -> str:
        return ", ".join(f"{name} {span.of(moments)} ({span.rate(moments):.1f}/s)" for name, span in spans.items())

    say(f"PostgreSQL {outage.name}: orders accepted: {counted(accepted)}")
    say(f"    executions ended: {counted(ends)}")
    say(f"    records acknowledged to the witness: {counted([record.at for record in witness.records])}")
    throughput = recovered(ends, outage.before, back, until)
    left = max((one.ended for one in placed if one.placed < back), default=back) - back
    say(
        f"    throughput as before {_seconds(throughput)} after its return; all that was placed before it: {left:.1f} s"
    )
    middle = (back + until) / 2
    for name, span in {**spans, "in the second half of that": Span(middle, until)}.items():
        plain = [one for one in placed if one.plain and span.first <= one.placed < span.last]
        taken = p99([one.accepted - one.placed for one in plain])
        done = p99([one.ended - one.created for one in plain])
        say(f"    placed {name}: p99 until accepted {taken:.2f} s, from beginning to end {done:.2f} s")


def _seconds(given: float | None) -> str:
    return "never" if given is None else f"{given:.0f} s"
