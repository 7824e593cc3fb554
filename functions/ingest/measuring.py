"""What ingest tells of itself: the journal's commits, the projector's backlog, the streams, the connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from lowtide.storage.database import Database
from lowtide.telemetry.measures import Labels, Measure, Reading

if TYPE_CHECKING:
    from .service import IngestService
    from .stream import Journalist

__all__ = ["measures"]

_POOL: Final = ("store", "pool")


def measures(service: IngestService, to: Journalist, databases: dict[str, Database]) -> Callable[[], Sequence[Measure]]:
    """``databases`` by what they are for."""

    def of_pools(read: Callable[[Database], int]) -> Callable[[], list[tuple[Labels, float]]]:
        return lambda: [((one.name, pool), float(read(one))) for pool, one in databases.items()]

    committer, projector = to.committer, to.projector
    known: list[Measure] = [
        committer.seconds,
        Reading("lowtide_journal_groups_total", "Commits of the journal", lambda: committer.groups, kind="counter"),
        Reading("lowtide_journal_appends_total", "Appends committed", lambda: committer.appends, kind="counter"),
        Reading("lowtide_journal_records_total", "Records committed", lambda: committer.records, kind="counter"),
        Reading("lowtide_journal_refused_total", "Appends refused", lambda: committer.refused, kind="counter"),
        Reading("lowtide_journal_waiting", "Batches that wait for their commit", lambda: committer.waiting),
        service.opens,
        Reading("lowtide_ingest_streams", "Streams of execute and orchestrate", lambda: service.streams),
        Reading("lowtide_ingest_streams_held", "Streams that are not read: too much unanswered", lambda: service.held),
        Reading("lowtide_ingest_backlog_rows", "Reports that wait for the analytics store", lambda: projector.rows),
        Reading("lowtide_ingest_backlog_bytes", "Their size as it was received", lambda: projector.size),
        projector.stored,
        projector.dropped,
        projector.pushed_back,
        Reading(
            "lowtide_store_up",
            "Whether the store took what was last written",
            lambda: [(("journal",), float(committer.up)), (("analytics",), float(projector.up))],
            ("store",),
        ),
        Reading("lowtide_pool_connections_in_use", "Connections in use", of_pools(lambda one: one.in_use), _POOL),
        Reading("lowtide_pool_connections_limit", "Connections there may be", of_pools(lambda one: one.size), _POOL),
    ]
    return lambda: known
