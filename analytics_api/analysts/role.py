"""The role that analysts' queries are asked as: what it may do, and whether that is all that it can do."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import errors, sql

from lowtide.errors import Misconfigured, Unavailable
from lowtide.storage.addresses import conninfo_of, url_of

from .limits import CONNECTIONS, SETTINGS

__all__ = ["HOLES", "provide"]

_LOCK: Final = 0x10_71_DE_A5
"""Any number, the same for all who make the role."""

_POWERS: Final = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")

# Who has tables, or was let into one by name, keeps the schema that it is in.
_GUESTS: Final = """
SELECT DISTINCT pg_get_userbyid(guest) FROM pg_class,
       LATERAL (SELECT relowner UNION SELECT grantee FROM aclexplode(relacl)) AS guests (guest)
 WHERE relnamespace = current_schema()::regnamespace AND guest <> 0
"""

HOLES: Final = f"""
SELECT pg_backend_pid(), extract(epoch FROM clock_timestamp())::bigint, array_remove(ARRAY[
  CASE WHEN session_user <> current_user THEN 'is another one' END,
  CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND ({" OR ".join(_POWERS)}))
       THEN 'has powers over the server' END,
  CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname <> current_user AND pg_has_role(current_user, oid, 'MEMBER'))
       THEN 'is a member of another role' END,
  CASE WHEN EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o'
                     AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = current_user))
       THEN 'owns something' END,
  CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^(pg_.*|information_schema)$' AND (
                           has_schema_privilege(oid, 'CREATE')
                           OR nspname <> 'analysts' AND has_schema_privilege(oid, 'USAGE')))
       THEN 'may use other schemas' END,
  CASE WHEN EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                     WHERE nspname !~ '^(pg_.*|information_schema)$' AND relkind IN ('r', 'p', 'v', 'm', 'f') AND (
                           has_table_privilege(pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                           OR nspname <> 'analysts' AND has_table_privilege(pg_class.oid, 'SELECT')))
       THEN 'may read other tables' END,
  CASE WHEN current_setting('default_transaction_read_only') <> 'on' THEN 'may write' END,
  CASE WHEN current_setting('statement_timeout') = '0' THEN 'has no statement_timeout' END,
  CASE WHEN current_setting('temp_file_limit') = '-1' THEN 'has no temp_file_limit' END
], NULL)
"""
"""Process id, seconds since 1970, and what is wrong with the role that asks: nothing is an empty array."""


def provide(store: str, analysts: str) -> None:
    """Make the role of the URL ``analysts`` in the database of ``store``, or mend it; whoever migrates must be allowed.

    Raises :class:`lowtide.errors.Misconfigured` where that is not so or the role is somebody else's, and
    :class:`lowtide.errors.Unavailable` where the database cannot be reached.
    """
    given = url_of(analysts, "LOWTIDE_ANALYSTS_URL")
    name, password = given.username, given.password
    if not name:
        raise Misconfigured("LOWTIDE_ANALYSTS_URL names no user: postgresql://lowtide_analysts:password@host:5432/name")
    try:
        with psycopg.connect(conninfo_of(store, "LOWTIDE_ANALYTICS_URL"), connect_timeout=10) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            _require_of_its_own(connection, name)
            _make(connection, name, password)
            _let_read(connection, name)
    except errors.InsufficientPrivilege as error:
        raise Misconfigured(
            f"the role {name} cannot be made as LOWTIDE_ANALYTICS_URL's user ({str(error).strip().splitlines()[0]}); "
            "let somebody migrate who may make roles and set temp_file_limit, or leave LOWTIDE_ANALYSTS_URL out"
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"the role {name} cannot be made: {str(error).strip().splitlines()[0]}") from error


def _require_of_its_own(connection: psycopg.Connection[Any], name: str) -> None:
    """A role that can do more is not made smaller by what follows, and its owner would be surprised."""
    query = f"SELECT rolname = current_user, {' OR '.join(_POWERS)} FROM pg_roles WHERE rolname = %s"
    found = connection.execute(query.encode(), [name]).fetchone()
    if found is not None and any(found):
        raise Misconfigured(
            f"LOWTIDE_ANALYSTS_URL names {name}, who is more than a reader; name a role of its own, which is made here"
        )


def _make(connection: psycopg.Connection[Any], name: str, password: str | None) -> None:
    role = sql.Identifier(name)
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} NOINHERIT").format(role))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {}").format(role, sql.Literal(CONNECTIONS)))
    if password is not None:
        # What is sent, and may be logged, is what PostgreSQL keeps: not the password.
        kept = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(kept)))
    for setting, value in SETTINGS.items():
        words = sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(setting), sql.Literal(value))
        connection.execute(words)


def _let_read(connection: psycopg.Connection[Any], name: str) -> None:
    role = sql.Identifier(name)
    for words in (
        "GRANT USAGE ON SCHEMA analysts TO {}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA analysts TO {}",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analysts TO {}",
    ):
        connection.execute(sql.SQL(words).format(role))
    found = connection.execute("SELECT current_database(), current_schema()").fetchone()
    database, schema = map(sql.Identifier, found or ())
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
    for (guest,) in connection.execute(_GUESTS).fetchall():
        if guest != name:
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, sql.Identifier(guest)))
    connection.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema))
