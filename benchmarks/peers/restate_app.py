"""The same three steps as a Restate service, served as its documentation says.

hypercorn restate_app:application --bind 127.0.0.1:PORT     (from the environment that `make bench-peers` sets up)
"""

import time

import restate

steps = restate.Service("Steps")


async def moment() -> float:
    return time.perf_counter() * 1000


@steps.handler()
async def three(context: restate.Context, given: dict[str, int]) -> list[float]:
    return [await context.run_typed(f"step {number}", moment) for number in (1, 2, 3)]


application = restate.app([steps])
