"""The seeded simulator: a whole installation in one thread, on a virtual clock, with every fault drawn from a seed.

    history = simulator.run(seed)       # tests/simulation wires the deployables
    assert not violations(history)

Equal seeds give equal histories, byte for byte, so that a number is all that a failure needs to be seen again.

``loop``      an event loop whose time jumps to whatever is due next
``process``   groups of tasks that crash, freeze and come back together
``clock``     a process's clocks
``faults``    what may go wrong and how often, drawn from the seed; who makes it go wrong
``network``   calls and streams between processes: late, cut, unanswered
``grpc``      the client's and the server's end of ingest's procedures over that network
``broker``    deliveries at least once: late, twice, out of order, dead letters
``postgres``  real PostgreSQL, one statement at a time, by the virtual clock
``history``   what was seen to happen
``checker``   the promises, as pure functions of a history; ``replay`` folds its journals again

The deployables' own code is what runs; only the ports are ours. Why:
``docs/decisions/0015-simulate-on-real-postgresql.md``.
"""
