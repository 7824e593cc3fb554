"""What is reported, drawn at random, and what the rollups must say of it.

python -m tests.rollups --executions 5000 --kills 30      (make soak-rollups)
"""
