"""What tasks wait for, and which task of its parent runs an execution."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("task_facts", sa.Column("wait", JSONB))
    op.add_column("executions", sa.Column("parent_task", sa.Text))
