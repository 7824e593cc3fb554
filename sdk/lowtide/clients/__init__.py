"""Clients of Lowtide's own services.

``orchestrate``  workflows, executions, events (HTTP)
``analytics``    executions, timelines, logs, series (HTTP)
``http``         the connection and its retries, shared by both
``problems``     problem documents back to errors
"""
