"""The analytics API: what ran, how long, how often, at what cost, and who is told when it is bad.

It reads the analytics store, writes what concerns alerts, and owns its migrations.

``__main__``    ``python -m analytics_api`` serves; ``… migrate`` brings the store up to date and exits
``app``         composition: settings in, ASGI application out

One file per question, with its SQL and its addresses:

``executions``  which there are, and one of them
``exporting``   all that a filter finds, as a file
``failing``     errors in groups
``timeline``    the tasks, invocations and children of one execution
``graphing``    what one execution went through, as a graph (``graph``: made, purely)
``comparing``   what differs between two executions (``difference``: found, purely)
``logs``        the log lines of one execution, and of all by what they say
``series``      counts and durations per workflow per minute, exact
``measuring``   any measure by any step and grouping, from rollups, for a tenant and for the operator
``streaming``   what happens, as it happens
``top``         workflows and tasks that are slowest, dearest or fail most, from rollups
``cost``        what was paid, and what was saved
``sql``         queries of analysts (``analysts/``: how they are kept apart)
``alerts``      a package: rules, what they find, who is told
``reports``     what was used and paid by day, for a tenant and for the operator
``health``      liveness and readiness

What they share:

``parameters``  the shapes of questions: filters, moments, page sizes
``answers``     the shapes of answers, with the examples that the OpenAPI shows
``finding``     executions by filter and order, as a statement
``happened``    what became of the tasks of one execution, added up
``measures``    which measures there are, and windows of whole steps
``covering``    which cells of minutes, hours and days cover a window
``spaces``      which namespaces there are
``spending``    what was spent, added up from rollups, and by which prices
``cursors``     keyset cursors <-> opaque text
``problems``    errors -> problem documents, for FastAPI
``operator``    who may ask about all namespaces
``sheets``      CSV and Markdown
``store``       connections: read-only, bounded in time, foreign errors translated
``migrate``     migrations (``migrations/``)

Ingest writes the store (its tables: ``lowtide.storage.analytics``), so it may lag behind control by a moment; nothing
that matters waits for it.
"""
