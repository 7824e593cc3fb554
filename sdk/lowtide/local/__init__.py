"""The laptop platform: the four deployables as real processes, from zero and back (`lowtide up`).

It stands in for Knative Serving, Knative Eventing and PostgreSQL on one machine, and behaves as they were seen to
behave. No feature of the product lives here.

``platform``    composes everything below: ``async with Platform(Options())``
``options``     what one can choose
``refusals``    why it would not start, with exit codes

``datadir``     the data directory: lock, key, logs, ledger of processes
``postgres``    PostgreSQL as a child process
``databases``   which databases there are, made where they are missing
``migrations``  bringing the stores up to date
``programs``    which Python modules the deployables are, here and in an installed wheel
``services``    the table of services: limits, probes, environment
``processes``   one child process: start, watch, stop; ``logs`` is where its lines go, ``readiness`` waits for it
``resident``    a process that is never at zero (the broker)

``pool``        the processes of one service: from zero, more, fewer, to zero (the autoscaler)
``activator``   HTTP in front of a pool; ``proxy`` passes one request on
``splice``      gRPC in front of a pool, connection by connection
``gateway``     the public HTTP port: who answers which path
``serving``     an HTTP server on a socket; ``answers`` are our own responses; ``ports`` finds and takes ports

``broker``      CloudEvents in, filtered, delivered, retried, dead-lettered; a process of its own
                (``routing``, ``filters``, ``delivery``, ``dead_letters``, ``stored`` are its parts)
``ticker``      the minute tick
``status``      what `/status` says
"""
