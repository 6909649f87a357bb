"""Hypothesis profiles: `dev` by default, `ci` the same bytes every run, `laws` long and random, `mutants` soon done.

Choose one with HYPOTHESIS_PROFILE (what nox does) or with `--hypothesis-profile`.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from length import EXAMPLES, FILES

ROOT = Path(__file__).resolve().parent.parent

# A busy machine makes examples slow without making them wrong, so no profile has a deadline.
_PATIENT = (HealthCheck.too_slow,)

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_PATIENT)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=_PATIENT,
)
settings.register_profile(
    "mutants",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=_PATIENT,
)
settings.register_profile(
    "laws",
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=_PATIENT,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collectstart(collector: pytest.Collector) -> None:
    """A law takes its settings where it is defined."""
    _load_length(collector)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A stateful machine takes them when it runs."""
    _load_length(item)


def _load_length(node: pytest.Collector | pytest.Item) -> None:
    """In a long run the laws of every file get as many examples as `length.py` says."""
    if settings.get_current_profile_name().startswith("laws"):
        number = FILES.get(os.path.relpath(node.path, ROOT))
        name = "laws" if number is None else f"laws, {number} examples"
        if number is not None:
            settings.register_profile(name, settings.get_profile("laws"), max_examples=number)
        settings.load_profile(name)
