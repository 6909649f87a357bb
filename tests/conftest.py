"""Hypothesis profiles: `dev` by default, `ci` the same bytes every run, `laws` long and random, `mutants` soon done.

Choose one with HYPOTHESIS_PROFILE (what nox does) or with `--hypothesis-profile`.
"""

import os

from hypothesis import HealthCheck, Phase, settings

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
    max_examples=5_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=_PATIENT,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
