"""Why an execution is suspended or cancelled."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("executions", sa.Column("reason", sa.Text))
