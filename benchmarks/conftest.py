"""What every benchmark records beside its times: how busy the machine was."""

import os
from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]) -> None:
    """Keep the load averages, so that the table can say whether the cores were quiet."""
    output_json["load"] = os.getloadavg()
