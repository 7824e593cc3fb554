"""SQL of analysts: one query over the views of a namespace, as JSON or CSV. How it is kept apart: ``analysts``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final
from weakref import WeakValueDictionary

import msgspec
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import Field, ValidationError

from lowtide.errors import InvalidInput, LimitReached, NotFound, TooLarge
from lowtide.storage.addresses import conninfo_of

from .analysts import limits
from .analysts.passes import Signer
from .analysts.session import Found, ask
from .analysts.values import as_json, as_plain
from .analysts.words import require_harmless
from .answers import Answer
from .parameters import Filters, Namespace
from .problems import RESPONSES
from .sheets import as_csv
from .store import Store

__all__ = ["routes"]

_MOST_IN_LINE: Final = 4
"""Queries of one namespace that are asked or wait."""

_UNSET: Final = (
    "this server answers no SQL: set LOWTIDE_ANALYSTS_URL to postgresql://lowtide_analysts:PASSWORD@HOST/DATABASE of "
    "the analytics store, for the migration, which makes that role, and for this server (docs/analysts.md)"
)


class Question(Filters):
    query: str = Field(
        min_length=1,
        max_length=limits.QUERY,
        description="One SELECT (or WITH, VALUES, TABLE) over the views of docs/analysts.md.",
        examples=["SELECT workflow, count(*) FROM executions GROUP BY workflow"],
    )
    limit: int = Field(1000, ge=1, le=limits.ROWS, description="Rows of the answer; what is more is left out.")


class Column(Answer):
    name: str = Field(examples=["workflow"])
    type: str = Field(description="PostgreSQL's name of it.", examples=["text"])


class Rows(Answer):
    """Numbers keep their digits, moments are ISO 8601, documents are JSON; all else is as PostgreSQL writes it."""

    columns: list[Column]
    rows: list[list[Any]]
    truncated: bool = Field(description="There were more rows, or more bytes than 8 MiB.")


_SHOWN: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": Question.model_json_schema()}}}
}
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "headers": {
            "lowtide-truncated": {"schema": {"type": "string"}, "description": "`true` where rows are missing"}
        },
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


def routes(store: Store, url: str, connections: int) -> APIRouter:
    """``url`` is that of the analysts' role, or empty. Raises :class:`lowtide.errors.Misconfigured` if it is none."""
    router = APIRouter(tags=["sql"], responses=RESPONSES)
    address = conninfo_of(url, "LOWTIDE_ANALYSTS_URL") if url else ""
    signer, lines = Signer(store), _Lines(connections)

    @router.post(
        "/sql", summary="One query over this namespace", response_model=Rows, responses=_CSV, openapi_extra=_SHOWN
    )
    async def sql(
        namespace: Namespace,
        request: Request,
        accept: Annotated[str, Header(description="`application/json` or `text/csv`")] = "application/json",
    ) -> Any:
        """At most 10,000 rows, 8 MiB and 10 s. What is too much, or wrong, is answered 400 with PostgreSQL's words."""
        if not address:
            raise NotFound(_UNSET)
        question = await _question(request)
        async with lines.turn(namespace):
            found = await ask(address, await signer.key(), namespace, question.query, question.limit)
        return _as_csv(found) if _wants_csv(accept) else _as_json(found)

    return router


class _Lines:
    """One query of each namespace at a time, so that none has all connections. Who waits for long has to come again."""

    def __init__(self, connections: int) -> None:
        self._free = asyncio.Semaphore(connections)
        self._own: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, namespace: str) -> AsyncIterator[None]:
        """Raises :class:`lowtide.errors.LimitReached`."""
        if self._waiting[namespace] >= _MOST_IN_LINE:
            raise LimitReached(f"{_MOST_IN_LINE} queries of this namespace are under way; ask them one after the other")
        own = self._own.setdefault(namespace, asyncio.Lock())
        self._waiting[namespace] += 1
        held: list[asyncio.Lock | asyncio.Semaphore] = []
        try:
            try:
                async with asyncio.timeout(limits.LINE_SECONDS):
                    for one in (own, self._free):
                        await one.acquire()
                        held.append(one)
            except TimeoutError as error:
                raise LimitReached("other queries of analysts are under way; ask again in a moment") from error
            yield
        finally:
            for one in held:
                one.release()
            self._waiting[namespace] -= 1
            if not self._waiting[namespace]:
                del self._waiting[namespace]


async def _question(request: Request) -> Question:
    """Read no further than a question can be long, whatever is sent."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limits.BODY:
            raise TooLarge(f"a query has {limits.QUERY:,} characters at most; this body is longer than any")
    try:
        question = Question.model_validate_json(bytes(body))
    except ValidationError as error:
        found = (f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors(include_url=False))
        raise InvalidInput(f'{"; ".join(found)}; write {{"query": "SELECT …", "limit": 1000}}') from error
    query = question.query.strip().removesuffix(";")
    if "\x00" in query or not query.strip():
        raise InvalidInput("query: this is no SQL; write one SELECT")
    require_harmless(query)
    return question.model_copy(update={"query": query})


def _wants_csv(accept: str) -> bool:
    """Whether CSV is named before JSON."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return "text/csv" in kinds and "application/json" not in kinds[: kinds.index("text/csv")]


def _as_json(found: Found) -> Response:
    kinds = [kind for _, kind in found.columns]
    answer = {
        "columns": [{"name": name, "type": kind} for name, kind in found.columns],
        "rows": [[as_json(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in found.rows],
        "truncated": found.truncated,
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _as_csv(found: Found) -> Response:
    kinds = [kind for _, kind in found.columns]
    rows = ([as_plain(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in found.rows)
    headers = {"lowtide-truncated": str(found.truncated).lower()}
    return Response(as_csv([name for name, _ in found.columns], rows), headers=headers, media_type="text/csv")
