"""The end of executions that concern nobody else, in one round trip: lock, look, end."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # Each statement of a function sees what was committed before it began: so the second looks, with the locks of the
    # first held, at rows that others wrote under these locks. A single statement could not.
    # Locks: later ids first, and the outbox before the dispatches, as everybody does.
    op.execute("""
    CREATE FUNCTION end_plainly(
        given_ids uuid[], given_changes bigint[], given_digests text[], given_phases text[],
        given_starts timestamptz[], given_ends timestamptz[], given_outputs bytea[], given_errors bytea[],
        given_types text[], note_kinds text[], note_ids uuid[], note_epochs bigint[], note_bodies bytea[],
        note_moments timestamptz[], note_namespaces text[])
    RETURNS TABLE (ended_id uuid, dispatch_size integer, next_due timestamptz)
    LANGUAGE plpgsql AS $$
    DECLARE
        plain uuid[];
    BEGIN
        PERFORM FROM executions WHERE id = ANY(given_ids) ORDER BY id DESC FOR UPDATE;
        plain := ARRAY(
            SELECT executions.id FROM unnest(given_ids, given_changes, given_digests) AS given (id, change, digest)
              JOIN executions ON executions.id = given.id AND executions.change = given.change
              JOIN dispatches ON dispatches.execution = executions.id AND dispatches.epoch = executions.epoch
                             AND dispatches.digest = given.digest
             WHERE NOT EXISTS (SELECT FROM executions AS child
                                WHERE child.parent = executions.id AND child.ended_at IS NULL)
               AND NOT EXISTS (SELECT FROM containers WHERE containers.execution = executions.id));
        RETURN QUERY
        WITH sent AS (DELETE FROM outbox WHERE execution = ANY(plain) AND kind = 'dispatch'),
        orders AS (DELETE FROM dispatches WHERE execution = ANY(plain) RETURNING execution, length(body) AS size),
        wakes AS (DELETE FROM inbox WHERE execution = ANY(plain)),
        timed AS (DELETE FROM timers WHERE execution = ANY(plain)),
        listening AS (DELETE FROM subscriptions WHERE execution = ANY(plain)),
        asked AS (UPDATE asks SET status = 'closed', ended_at = clock_timestamp()
                   WHERE execution = ANY(plain) AND status = 'open'),
        loose AS (UPDATE kept_events SET execution = NULL WHERE execution = ANY(plain)),
        told AS (
            INSERT INTO outbox (kind, execution, epoch, body, not_before, namespace)
            SELECT kind, id, epoch, note, coalesce(not_before, clock_timestamp()), namespace
              FROM unnest(note_kinds, note_ids, note_epochs, note_bodies, note_moments, note_namespaces)
                   AS notes (kind, id, epoch, note, not_before, namespace)
             WHERE id = ANY(plain)
        ), scheduled AS (
            UPDATE schedules SET running = NULL, due = clock_timestamp() + pause WHERE running = ANY(plain)
            RETURNING due
        ), ended AS (
            UPDATE executions
               SET phase = given.phase, change = given.change + 1, started_at = given.started_at,
                   ended_at = given.ended_at, output = given.output, error = given.error,
                   error_type = given.error_type, reason = NULL, state = NULL, waiting = NULL, suspend_asked = NULL
              FROM unnest(given_ids, given_changes, given_phases, given_starts, given_ends, given_outputs,
                          given_errors, given_types)
                   AS given (id, change, phase, started_at, ended_at, output, error, error_type)
             WHERE executions.id = given.id AND executions.id = ANY(plain)
            RETURNING executions.id
        )
        SELECT ended.id, max(orders.size), (SELECT min(due) FROM scheduled)
          FROM ended LEFT JOIN orders ON orders.execution = ended.id GROUP BY ended.id;
    END $$""")
