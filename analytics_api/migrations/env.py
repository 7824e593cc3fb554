"""Alembic runs this for every command; the connection comes from ``migrate``."""

from alembic import context

from lowtide.storage.analytics import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
