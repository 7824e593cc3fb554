"""Executions, task facts, logs, metric samples, usage, and what was dropped."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def _subject() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in ("namespace", "workflow", "version")]


def _id(name: str = "execution", *, nullable: bool = True, primary_key: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, nullable=nullable and not primary_key, primary_key=primary_key)


def _moment(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, primary_key=primary_key)


def _number(name: str, *, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, primary_key=primary_key, autoincrement=False)


def _members(name: str) -> sa.Column[object]:
    return sa.Column(name, JSONB, nullable=False, server_default=sa.text("'{}'"))


def upgrade() -> None:
    _executions()
    _task_facts()
    _logs()
    _metric_samples()
    _usage()
    op.create_table(
        "dropped",
        _moment("at", primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        _number("count"),
    )


def _executions() -> None:
    op.create_table(
        "executions",
        _id(primary_key=True),
        *_subject(),
        _number("version_number"),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        _id("parent"),
        _moment("created_at"),
        _moment("started_at", nullable=True),
        _moment("ended_at", nullable=True),
        sa.Column("error", JSONB),
        _members("tags"),
    )
    newest_first = [sa.text("created_at DESC"), sa.text("execution DESC")]
    for name, columns in {
        "executions_by_namespace": ["namespace"],
        "executions_by_workflow": ["namespace", "workflow"],
        "executions_by_phase": ["namespace", "phase"],
        "executions_by_workflow_phase": ["namespace", "workflow", "phase"],
    }.items():
        op.create_index(name, "executions", [*columns, *newest_first])
    op.create_index(
        "executions_by_end",
        "executions",
        ["namespace", "ended_at", "workflow"],
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index("executions_by_parent", "executions", ["parent"], postgresql_where=sa.text("parent IS NOT NULL"))


def _task_facts() -> None:
    op.create_table(
        "task_facts",
        _id(primary_key=True),
        _number("number", primary_key=True),
        *_subject(),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("task", "name", "reference", "kind", "status")),
        _moment("at"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("error", JSONB),
    )
    op.create_index("task_facts_by_workflow", "task_facts", ["namespace", "workflow", "at"])


def _logs() -> None:
    op.create_table(
        "logs",
        _id(primary_key=True),
        _moment("at", primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        *_subject(),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("fields", JSONB),
    )
    op.create_index("logs_by_workflow", "logs", ["namespace", "workflow", "at"])


def _metric_samples() -> None:
    op.create_table(
        "metric_samples",
        _moment("at", primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        *_subject(),
        _id(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        _members("labels"),
    )
    op.create_index("metric_samples_by_name", "metric_samples", ["namespace", "name", "at"])


def _usage() -> None:
    op.create_table(
        "usage",
        _id(primary_key=True),
        _number("epoch", primary_key=True),
        *_subject(),
        _moment("at"),
        sa.Column("active_ms", sa.Double, nullable=False),
        sa.Column("cpu_ms", sa.Double, nullable=False),
        _number("memory_bytes"),
        sa.Column("cold_start", sa.Boolean, nullable=False),
        sa.Column("cold_start_ms", sa.Double, nullable=False),
        sa.Column("queueing_ms", sa.Double, nullable=False),
        _number("turns"),
        _number("effects"),
        _number("records"),
    )
    op.create_index("usage_by_workflow", "usage", ["namespace", "workflow", "at"])
