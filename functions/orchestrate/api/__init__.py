"""The HTTP API: translates requests into flows and rows into JSON; decides nothing.

``workflows``    /v1/namespaces/{ns}/workflows, /v1/validate
``executions``   start, list, show, delete
``orders``       cancel, suspend, resume
``repeats``      restart, retry, fork
``explanation``  why it waits
``operations``   bulk operations: begin, list, show, stop
``deadletters``  list, show, redrive, discard
``tasks``        human tasks: list, show, claim, release, complete
``callbacks``    URLs that can be called once
``events``       events that users publish
``functions``    what the Broker posts: outcomes, ticks, the world's events, dead letters
``health``       /livez, /readyz
``pages``        cursors, parameters
``shapes``       what answers look like, for the OpenAPI and nowhere else
``documents``    reading bodies
"""
