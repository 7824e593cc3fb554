"""``lowtide up`` with programs of the tests' own: arguments are data directory, HTTP port, gRPC port, idle seconds."""

from __future__ import annotations

import sys
from pathlib import Path

from lowtide.cli.up_live import serve
from lowtide.local.options import Options
from lowtide.local.refusals import CannotStart


def main() -> int:
    directory, port, grpc_port, idle = sys.argv[1:5]
    here = Path(__file__).parent
    options = Options(
        data_directory=Path(directory),
        port=int(port),
        grpc_port=int(grpc_port),
        idle=float(idle),
        tick=1.0,
        path=(here,),
        fsync=False,
        extra={"NOTES": f"{directory}/notes"},
    )
    fakes = {"execute": "fake_http", "orchestrate": "fake_http", "analytics": "fake_http", "ingest": "fake_grpc"}
    try:
        return serve(options, fakes)  # type: ignore[arg-type]
    except CannotStart as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
