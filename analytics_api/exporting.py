"""All executions that a filter finds, as CSV, JSON lines or Parquet.

Read page by page from key to key, so that memory is bounded, no statement is long, and a slow reader holds no
connection. What ends or arrives meanwhile may be missing, or be there as it was.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from sqlalchemy.engine import RowMapping

from lowtide.errors import InvalidInput

from .answers import Execution
from .executions import members
from .finding import find, key_of
from .parameters import ExportQuery, Namespace
from .problems import RESPONSES
from .sheets import inert
from .store import Store

__all__ = ["routes"]

_PAGE: Final = 1000

_COLUMNS: Final = tuple(Execution.model_json_schema(mode="serialization")["properties"])

_MOMENTS: Final = ("createdAt", "startedAt", "endedAt")

_TYPES: Final = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}

_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One row, line or record for each execution, as they come",
        "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in _TYPES.values()},
    }
}


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get(
        "/exports/executions",
        summary="All executions by filter, as a file",
        response_class=StreamingResponse,
        responses=_ANSWER,
    )
    async def export(namespace: Namespace, query: Annotated[ExportQuery, Query()]) -> StreamingResponse:
        """The columns are the members of an execution; what is an object is JSON text, except in JSON lines."""
        written = _WRITERS[query.format]()
        pages = _pages(store, namespace, query)
        first = await anext(pages, None) or []  # what is wrong with the question must be said before the answer begins
        disposition = {"content-disposition": f'attachment; filename="executions.{query.format}"'}
        return StreamingResponse(_content(written, first, pages), 200, disposition, _TYPES[query.format])

    return router


async def _pages(store: Store, namespace: str, query: ExportQuery) -> AsyncIterator[Sequence[RowMapping]]:
    after = None
    while rows := await store.ask(find(namespace, query, after).limit(_PAGE)):
        yield rows
        if len(rows) < _PAGE:
            return
        after = key_of(query, rows[-1])


async def _content(
    written: _Writer, first: Sequence[RowMapping], rest: AsyncIterator[Sequence[RowMapping]]
) -> AsyncIterator[bytes]:
    yield written.rows(_plain(first))
    async for rows in rest:
        yield written.rows(_plain(rows))
    yield written.end()


def _plain(rows: Sequence[RowMapping]) -> Iterator[dict[str, Any]]:
    return (Execution(**members(row)).model_dump(mode="json", by_alias=True) for row in rows)


class _Writer:
    """JSON lines: each page as bytes, and what follows the last one."""

    def rows(self, rows: Iterator[dict[str, Any]]) -> bytes:
        return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)

    def end(self) -> bytes:
        return b""


class _Csv(_Writer):
    def __init__(self) -> None:
        self._text = io.StringIO()
        self._rows = csv.DictWriter(self._text, _COLUMNS)
        self._rows.writeheader()

    def rows(self, rows: Iterator[dict[str, Any]]) -> bytes:
        self._rows.writerows({name: inert(value) for name, value in _flat(row).items()} for row in rows)
        return self.end()

    def end(self) -> bytes:
        written = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return written


class _Sent(io.RawIOBase):
    """A file that keeps nothing but what was not taken yet; it knows how long it would be."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        written, self._waiting = b"".join(self._waiting), []
        return written


class _Parquet(_Writer):
    """Each page is a row group."""

    def __init__(self) -> None:
        arrow = _arrow()
        moment = arrow.timestamp("ms", tz="UTC")
        kinds = dict.fromkeys(_MOMENTS, moment) | {"epoch": arrow.int64()}
        kinds |= {name: arrow.float64() for name in ("durationMs", "gbSeconds")}
        self._schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in _COLUMNS])
        self._table = arrow.Table
        self._sent = _Sent()
        writer = importlib.import_module("pyarrow.parquet").ParquetWriter
        self._file = writer(arrow.PythonFile(self._sent, mode="w"), self._schema, compression="zstd")

    def rows(self, rows: Iterator[dict[str, Any]]) -> bytes:
        shown = [_flat(row) for row in rows]
        for row in shown:
            row.update({name: row[name] and datetime.fromisoformat(row[name]) for name in _MOMENTS})
        self._file.write_table(self._table.from_pylist(shown, schema=self._schema))
        return self._sent.taken()

    def end(self) -> bytes:
        self._file.close()
        return self._sent.taken()


_WRITERS: Final[dict[str, type[_Writer]]] = {"jsonl": _Writer, "csv": _Csv, "parquet": _Parquet}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        for name, value in row.items()
    }


def _arrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise InvalidInput(
            "this server writes no Parquet: it lacks the extra lowtide[parquet]; ask for format=csv or format=jsonl"
        ) from error
