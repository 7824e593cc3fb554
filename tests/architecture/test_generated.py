"""What is generated is what the generator writes today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PROTO = "sdk/lowtide/rpc/v1/ingest.proto"


def test_the_grpc_stubs_have_no_drift(tmp_path: Path) -> None:
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I", "sdk", *outs, _PROTO], cwd=_ROOT, check=True)
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) == 3
    for path in written:
        kept = _ROOT / "sdk" / path.relative_to(tmp_path)
        assert kept.read_text() == path.read_text(), f"{kept.name} differs: run make stubs"
