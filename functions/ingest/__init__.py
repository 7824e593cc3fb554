"""The ingest function: leases, the journal, history, signals and payloads over gRPC (architecture, section 4).

``__main__``   composition: settings, logging, signals of the system
``server``     the gRPC server, health, reflection, draining
``service``    the remote procedures: protobuf in and out, errors to status codes
``stream``     one Report stream: reads batches, pushes acknowledgements and signals
``opening``    Open: who gets a lease, and with which tail
``committing`` group commit: gathers batches while the previous ones commit
``appending``  the transaction of one group
``dropping``   journals of executions that were deleted
``work``       what a batch asks of the journal, checked at the border
``measuring``  what is counted for whoever watches
``probing``    health, also of the stores, with reasons
``tracing``    spans of single calls
``owners``     liveness of processes
``signalling`` wakes for running owners, between replicas by NOTIFY
``payloads``   the claim check
``projecting`` history, logs, metrics, usage and changes into the analytics store
``otlp``       logs and metrics of others, where they are taken
``outlining``  what the versions of workflows are made of
``writing``    one transaction of them: what is new is added up, what was there already counts nowhere
``totals``     the projection of executions, and what their invocations cost together
``rollups``    what happened per minute, hour and day, with percentile sketches
``days``       partitions of the analytics store: made ahead, dropped, and what goes earlier
``retention``  how long the analytics store keeps what
``rows``       reports as rows, one shape per kind
``database``   a few connections that fail at once and recover by themselves
``migrate``    the journal store's migrations (``migrations/``)
"""
