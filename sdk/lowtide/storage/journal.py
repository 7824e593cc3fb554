"""The journal store: leases, the journal itself, payloads. Ingest alone writes and reads it.

Ready to be partitioned by execution id (a UUIDv7, so by day of creation): every key of a large table holds it.
Bodies are ``bytea``, not ``jsonb``: they come back byte for byte, and may be encrypted.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, MetaData, Table, Text, Uuid, text

__all__ = ["journal", "leases", "metadata", "owners", "payload_chunks", "payloads", "signals"]

metadata = MetaData()


leases = Table(
    "leases",
    metadata,
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    # The newest epoch that was opened, and the digest of its dispatch.
    Column("epoch", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    # Null after the owner gave the lease back. Kept after a close, so that a close sent twice is known.
    Column("owner", Text),
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    # How the epoch ended: type and body of its outcome. Null while it has not.
    Column("closed_type", Text),
    Column("closed_body", LargeBinary),
    Column("closed_at", DateTime(timezone=True)),
)
"""One row per execution. A lease lives while it is not closed, has an owner, and that owner lives."""

owners = Table(
    "owners",
    metadata,
    Column("owner", Text, primary_key=True),
    # By database time. One heartbeat per process keeps all its leases.
    Column("expires_at", DateTime(timezone=True), nullable=False),
    # The stream that was heard last: only its loss shortens the owner's life.
    Column("stream", Text),
)
"""One row per process that opened executions or reported. Small and updated all the time: no index on the expiry."""

journal = Table(
    "journal",
    metadata,
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    # Consecutive from 1 across all epochs of the execution.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)
"""The ordered list of events that were fed to the engine of each execution."""

signals = Table(
    "signals",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("execution", Uuid(as_uuid=True), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)
"""Items for owners whose stream ends at another replica; taken by the one that has it, or dropped after a minute."""

Index("signals_by_owner", signals.c.owner, signals.c.id)

payloads = Table(
    "payloads",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)
"""Large data by content (the claim check). A row is there once all of its chunks are."""

payload_chunks = Table(
    "payload_chunks",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("execution", Uuid(as_uuid=True), primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
