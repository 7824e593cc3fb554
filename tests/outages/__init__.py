"""PostgreSQL hangs, and then is away, for a minute each, while the whole platform has work; numbers, and a checker.

python -m tests.outages --seconds 60 --rate 4      (make soak-outage)
"""
