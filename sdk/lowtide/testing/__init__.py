"""For workflow authors and for our own tests: fakes of the ports, on a clock that the test moves.

``journal``  leases and journal in memory
"""
