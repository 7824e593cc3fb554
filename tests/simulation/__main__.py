"""``python -m tests.simulation SEED``: one world, told record by record; ``--soak COUNT [FIRST]``: many, counted.

Exit codes: 0 where no promise was broken, 1 where one was.
"""

from __future__ import annotations

import sys

from lowtide.testing.simulate.checker import violations
from tests.simulation.running import simulator
from tests.simulation.soaking import soak

_TOLD = {
    "deployed": ("name",),
    "journal": ("execution", "number", "epoch"),
    "execution": ("execution", "phase", "epoch"),
}


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--soak", many]:
            return soak(int(many), 1)
        case ["--soak", many, first]:
            return soak(int(many), int(first))
        case [seed] if seed.isdecimal():
            return tell(int(seed))
    print(__doc__, file=sys.stderr)
    return 2


def tell(seed: int) -> int:
    """One world in words."""
    with simulator() as simulation:
        history = simulation.run(seed)
    for record in history.records:
        names = _TOLD.get(record.kind, tuple(record.about))
        about = "  ".join(f"{name}={record[name]}" for name in names)
        print(f"{record.at:10.3f}  {record.by:16} {record.kind:13} {about}")
    found = violations(history)
    print(*(found or ["every promise was kept"]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
