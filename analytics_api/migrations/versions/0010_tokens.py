"""Tokens of models, by task, invocation and execution."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("task_facts", "usage", "executions"):
        op.execute(
            f"ALTER TABLE {table} ADD input_tokens bigint NOT NULL DEFAULT 0, "
            "ADD output_tokens bigint NOT NULL DEFAULT 0"
        )
