"""Alembic runs this for every command; the connection comes from ``migrate``."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
