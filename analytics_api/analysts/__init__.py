"""SQL of analysts: one query of one namespace, asked as a role that may read the views of schema ``analysts`` alone.

``role``      makes that role, and what it may do (the migration calls it)
``passes``    which namespace a session is of: signed, so that no query can say otherwise
``words``     what a query may not even name
``session``   one query in a session of its own, within bounds
``values``    what PostgreSQL says -> JSON and CSV
``limits``    the bounds

Each holds alone what it holds; docs/decisions says why there are several. The route is ``analytics_api.sql``.
"""
