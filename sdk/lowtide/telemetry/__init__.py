"""What Lowtide tells of itself to whoever operates it; of workflows and executions it is history that tells.

``measures``    numbers that a process keeps: counts, levels, spreads
``exposition``  measures as Prometheus reads them (extra ``metrics``)
``serving``     the port on which they are read
``requests``    counts, times and traces the requests of an ASGI application
``tracing``     spans, recorded as they end
``otlp``        spans on their way to a collector (extra ``otel``)

Nothing here is kept in module globals: a composition root makes the measures and hands them to who counts.
"""
