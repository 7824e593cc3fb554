"""Clients of Lowtide's own services.

``orchestrate``  workflows, executions, events (HTTP)
``analytics``    executions, timelines, logs, series (HTTP)
``alerts``       rules, alerts, silences (HTTP, of the analytics API)
``broker``       publishes CloudEvents
``ingest``       the journal, history, signals (gRPC): ``reporting`` is its stream, ``batching`` what waits for the
                 next batch, ``trust`` what we believe of our leases, ``calling`` single calls, ``payloads`` large data
``objects``      large data in an S3-compatible object store
``http``         the connection and its retries, shared by both
``problems``     problem documents back to errors
"""
