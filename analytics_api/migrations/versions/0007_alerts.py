"""Alert rules, what was found by them, silences, and what is still to be told to whom."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _rules()
    op.execute("""
        CREATE TABLE alerts (
          id uuid PRIMARY KEY,
          namespace text NOT NULL,
          rule text NOT NULL,
          members jsonb NOT NULL,
          phase text NOT NULL,
          since timestamptz NOT NULL,
          fired_at timestamptz,
          resolved_at timestamptz,
          told_at timestamptz,
          value float8,
          why text NOT NULL,
          acknowledged_at timestamptz,
          acknowledged_by text,
          note text)""")
    op.execute("CREATE INDEX alerts_by_time ON alerts (namespace, since DESC, id DESC)")
    op.execute("CREATE INDEX alerts_open ON alerts (namespace, rule) WHERE resolved_at IS NULL")
    op.execute("CREATE INDEX alerts_by_end ON alerts (resolved_at) WHERE resolved_at IS NOT NULL")
    op.execute("""
        CREATE TABLE alert_silences (
          id uuid PRIMARY KEY,
          namespace text NOT NULL,
          rule text,
          members jsonb NOT NULL,
          created_at timestamptz NOT NULL,
          until timestamptz NOT NULL,
          reason text NOT NULL,
          created_by text NOT NULL)""")
    op.execute("CREATE INDEX alert_silences_by_time ON alert_silences (namespace, until)")
    _deliveries()


def _rules() -> None:
    op.execute("""
        CREATE TABLE alert_rules (
          namespace text,
          name text,
          spec jsonb NOT NULL,
          secrets jsonb NOT NULL,
          every bigint NOT NULL,
          created_at timestamptz NOT NULL,
          changed_at timestamptz NOT NULL,
          due_at timestamptz NOT NULL,
          looked_at timestamptz,
          problem text,
          PRIMARY KEY (namespace, name))""")
    op.execute("CREATE INDEX alert_rules_by_due ON alert_rules (due_at)")
    op.execute("""
        CREATE TABLE alert_states (
          namespace text,
          rule text,
          members text,
          memory jsonb NOT NULL,
          PRIMARY KEY (namespace, rule, members))""")


def _deliveries() -> None:
    op.execute("""
        CREATE TABLE alert_deliveries (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          alert uuid NOT NULL,
          url text NOT NULL,
          secret text NOT NULL,
          event jsonb NOT NULL,
          state text NOT NULL DEFAULT 'waiting',
          attempts integer NOT NULL DEFAULT 0,
          next_at timestamptz NOT NULL,
          give_up_at timestamptz NOT NULL,
          ended_at timestamptz,
          problem text)""")
    op.execute("CREATE INDEX alert_deliveries_due ON alert_deliveries (next_at) WHERE state = 'waiting'")
    op.execute("CREATE INDEX alert_deliveries_by_alert ON alert_deliveries (alert, id)")
    op.execute("""
        CREATE TABLE alert_watch (
          one boolean PRIMARY KEY DEFAULT true,
          revision bigint NOT NULL DEFAULT 0,
          every bigint)""")
    op.execute("INSERT INTO alert_watch DEFAULT VALUES")
