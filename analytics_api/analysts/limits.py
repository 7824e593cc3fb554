"""How much one query may be, take and answer."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BATCH",
    "BODY",
    "BYTES",
    "CONNECTIONS",
    "CONNECT_SECONDS",
    "LINE_SECONDS",
    "QUERY",
    "ROWS",
    "SECONDS",
    "SETTINGS",
    "WHOLE_SECONDS",
]

QUERY: Final = 20_000
"""Characters of a query."""

BODY: Final = 8 * QUERY
"""Bytes of a request: a character may be escaped."""

ROWS: Final = 10_000
BYTES: Final = 8 * 1024 * 1024
"""Of the answer, as PostgreSQL writes its values."""

BATCH: Final = 100
"""Rows that are fetched at once; each has 256 KiB at most (``analysts.fits``)."""

SECONDS: Final = 10
"""That PostgreSQL works on one statement."""

WHOLE_SECONDS: Final = 15.0
"""From the first word with PostgreSQL to the last."""

LINE_SECONDS: Final = 5.0
"""That a query waits for those before it."""

CONNECT_SECONDS: Final = 5

CONNECTIONS: Final = 8
"""That the role may have, whoever has its password."""

SETTINGS: Final = {
    "default_transaction_read_only": "on",
    "statement_timeout": f"{SECONDS}s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "10s",
    "idle_session_timeout": "60s",
    "client_connection_check_interval": "2s",  # whose client is gone need not go on
    "work_mem": "16MB",
    "hash_mem_multiplier": "1",
    "temp_file_limit": "256MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "search_path": "analysts",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "client_encoding": "UTF8",
    "row_security": "on",
}
"""Settings of the role. Those of time and memory could be changed by a query that may call ``set_config``: no query may
(``words``), and a session asks no second one."""
