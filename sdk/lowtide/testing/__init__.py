"""For workflow authors and for our own tests: fakes of the ports, on a clock that the test moves.

``clock``    time that passes at once
``journal``  leases and journal in memory; ``payloads`` large data
``simulate`` whole installations in virtual time, with every fault drawn from a seed
"""
