"""The package as a plain install has it: every public name is there, and needs attrs and sortedcontainers only."""

import json
import subprocess
import sys

import pytest

import cpuplace_linux


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    assert dir(cpuplace_linux) == sorted(cpuplace_linux.__all__)
    for name in cpuplace_linux.__all__:
        value = getattr(cpuplace_linux, name)
        assert callable(value), name
        assert (value.__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cpuplace_linux.nothing


def test_a_plain_install_is_enough_and_reading_a_host_needs_no_threads() -> None:
    code = (
        "import json, sys; import cpuplace_linux; first = set(sys.modules);"
        "[getattr(cpuplace_linux, name) for name in cpuplace_linux.__all__];"
        "print(json.dumps([sorted(first), sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, everything = json.loads(done.stdout)
    foreign = {name.split(".")[0] for name in everything} - set(sys.stdlib_module_names)
    assert {name for name in foreign if not name.startswith(("_", "cpuplace"))} <= {"attr", "attrs", "sortedcontainers"}
    assert "cpuplace_linux.thread_layout" in everything
    assert {name for name in first if name.startswith("cpuplace_linux.")} == {
        f"cpuplace_linux.{name}" for name in ("capture", "folder", "read_host")
    }
