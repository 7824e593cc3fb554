"""What the stores have in common. Table definitions that a writer and a reader share (extra: sqlalchemy); no queries.

``journal``    leases, owners, journal, signals, payloads: ingest alone
``analytics``  executions (projection), task facts, logs, metric samples, usage, drops: ingest writes, the analytics
               API reads and owns the migrations
``database``   a few connections for statements that every execution needs (extra: psycopg)
``waiting``    how long an answer is waited for
``addresses``  what a store's URL must be
``migrating``  how each store is brought to its newest version (extra: alembic)

The control store belongs to orchestrate alone and is defined there.
"""
