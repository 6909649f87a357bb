"""Generates the protobuf modules and their stubs beside the .proto files: a build hook, and what `nox -s protos` runs.

The modules are not in git. Who builds a wheel, or installs in editable mode, gets them made.
"""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("cpuplace_nri") / "proto"  # below src: what the modules are imported as


class GeneratedProtos(BuildHookInterface[Any]):
    """Makes the modules before a wheel is put together, the editable one too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Hatch calls this before it looks for files."""
        generate(Path(self.root) / "src")


def generate(source: Path) -> None:
    """Write `*_pb2.py` and `*_pb2.pyi` for every .proto file of the folder; SystemExit with protoc's words else."""
    from grpc_tools import protoc

    protos = sorted(path.relative_to(source).as_posix() for path in (source / FOLDER).glob("*.proto"))
    with tempfile.TemporaryDirectory(dir=source / FOLDER) as scratch:
        includes = (f"-I{source}", f"-I{files('grpc_tools') / '_proto'}")
        code = protoc.main(
            ["protoc", *includes, *_plugin(), f"--python_out={scratch}", f"--mypy_out={scratch}", *protos]
        )
        if code:
            raise SystemExit(f"protoc ended with {code}")
        for made in sorted((Path(scratch) / FOLDER).iterdir()):
            made.replace(source / FOLDER / made.name)  # at once: another build, or an import, sees the old or the new


def _plugin() -> list[str]:
    """mypy-protobuf's program lies beside this Python, which need not be on the PATH."""
    beside = Path(sys.executable).parent / "protoc-gen-mypy"
    return [f"--plugin=protoc-gen-mypy={beside}"] if beside.exists() else []


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent / "src")
