"""Sketches are added up by looking at what is added alone; an index goes that no question uses."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("""
        CREATE OR REPLACE FUNCTION merged_sketch(one jsonb, other jsonb) RETURNS jsonb
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
          SELECT CASE WHEN other = '{}' THEN one WHEN one = '{}' THEN other ELSE one || (
            SELECT jsonb_object_agg(bin, n::bigint + coalesce((one ->> bin)::bigint, 0))
              FROM jsonb_each_text(other) AS given (bin, n)) END
        $$""")
    op.execute("DROP INDEX task_facts_by_workflow")
