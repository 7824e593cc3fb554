"""The graph of one execution: as JSON, as Mermaid, as DOT."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import select

from lowtide.model import drawing
from lowtide.storage.analytics import executions

from .answers import Graph
from .executions import require_known
from .graph import drawable, graph_of
from .happened import outline_of, ran, runs_of, steps_of
from .parameters import Filters, Namespace, execution_id
from .problems import RESPONSES
from .store import Store
from .timeline import children_of

__all__ = ["routes"]

Form = Literal["json", "mermaid", "dot"]

_TYPES: Final[dict[str, Form]] = {
    "application/json": "json",
    "text/vnd.mermaid": "mermaid",
    "text/vnd.graphviz": "dot",
}

_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The graph in the form that was asked for",
        "content": {
            "text/vnd.mermaid": {"schema": {"type": "string"}, "example": "flowchart TD\n"},
            "text/vnd.graphviz": {"schema": {"type": "string"}, "example": "digraph workflow {}\n"},
        },
    }
}


class GraphQuery(Filters):
    format: Form | None = Field(None, description="Else `Accept` says it: JSON, text/vnd.mermaid, text/vnd.graphviz.")


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get(
        "/executions/{execution}/graph",
        summary="What one execution went through, as a graph",
        response_model=Graph,
        responses=_ANSWER,
    )
    async def graph(
        namespace: Namespace,
        execution: str,
        query: Annotated[GraphQuery, Query()],
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Any:
        """The tasks of the version that ran, in their composites, with how often and how each ran; which way switches,
        loops and retries went; children as nodes with a link."""
        found = await _graph(store, namespace, execution)
        form = query.format or _accepted(accept)
        if form == "json":
            return found
        text = drawing.mermaid(*drawable(found)) if form == "mermaid" else drawing.dot(*drawable(found))
        media_type = next(kind for kind, name in _TYPES.items() if name == form)
        return Response(text, media_type=f"{media_type}; charset=utf-8", headers={"vary": "accept"})

    return router


async def _graph(store: Store, namespace: str, execution: str) -> Graph:
    wanted = execution_id(execution)
    of = await ran(store, namespace, wanted)
    if of is None:
        await require_known(store, namespace, wanted)
        return Graph(source="history", nodes=[], edges=[])
    table = executions.c
    here = (table.execution == wanted) & (table.namespace == namespace)
    phases = await store.ask(select(table.phase).where(here))
    return graph_of(
        await outline_of(store, namespace, of),
        await runs_of(store, namespace, wanted),
        await steps_of(store, namespace, wanted),
        await children_of(store, namespace, wanted),
        completed=bool(phases) and phases[0]["phase"] == "completed",
    )


def _accepted(accept: str) -> Form:
    """The first form that is named; whoever names none gets JSON."""
    for part in accept.lower().split(","):
        form = _TYPES.get(part.partition(";")[0].strip())
        if form is not None:
            return form
    return "json"
