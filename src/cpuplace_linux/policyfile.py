"""A policy file (YAML, TOML or JSON) to a Policy; every error names the file and, where it can be known, the line."""

from pathlib import Path

from cpuplace.errors import BadInput
from cpuplace.formats import policy as policy_format
from cpuplace.policy import Policy
from cpuplace_linux.valuefile import Language, Values, parse_values, read_values


def read_policy(path: str | Path) -> Policy:
    """The policy in this file, its language told by the suffix; raises BadInput with file and line."""
    return _policy(read_values(path))


def parse_policy(text: str, language: Language, *, source: str = "policy") -> Policy:
    """The policy that the text describes, an empty one the defaults; raises BadInput with the line.

    >>> parse_policy("min_shared_cpus: 4", "yaml").min_shared_cpus
    4
    """
    return _policy(parse_values(text, language, source=source))


def _policy(values: Values) -> Policy:
    try:
        return policy_format.parse({} if values.plain is None else values.plain, source=values.source)
    except BadInput as bad:
        raise values.located(bad) from None
