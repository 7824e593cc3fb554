"""Analytics is told what the versions are made of that were deployed before it was to know."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("""
    INSERT INTO outbox (kind, execution, body)
    SELECT 'outline', '00000000-0000-0000-0000-000000000000', convert_to(id::text, 'UTF8')
      FROM workflow_versions ORDER BY id""")
