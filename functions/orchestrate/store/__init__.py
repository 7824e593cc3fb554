"""The control store: all SQL of orchestrate. Functions take a transaction; none of them decides anything.

``tables``      the definitions
``database``    connections, transactions, what happens when PostgreSQL is away
``executions``  executions and their dispatches
``wakes``       inbox and timers
``schedules``   when workflows start by time
``lanes``       dispatches that wait to be admitted; ``debounces``, ``rates``, ``gates``: why
``overdue``     dispatches without an outcome
``events``      kept events, subscriptions, deliveries, what is gathered for a start
``asks``        callbacks and human tasks
``workflows``   workflows, their versions, what they may listen for
``removals``    executions that are deleted
``outbox``      what must be told to others, and dead letters
``keys``        hashes that fit an index

Lock order: an execution's row before what belongs to it, a child's row before its parent's.
"""
