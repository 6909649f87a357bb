"""docs/manifests.md has the tables of the code."""

from pathlib import Path

from cpuplace.annotations import ALIASES, KEYS
from cpuplace.kinds import KINDS
from cpuplace.policy import Policy

PAGE = (Path(__file__).parents[2] / "docs" / "manifests.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code() -> None:
    kinds = [f"| {rule.name} | {rule.when} | {rule.kind.value} |" for rule in KINDS]
    keys = [f"| `{what}` | {takes} |" for what, takes in KEYS.items()]
    assert "\n".join(kinds) in PAGE
    assert "\n".join(keys) in PAGE


def test_aliases_and_scopes_are_named() -> None:
    scopes = Policy.__attrs_attrs__.integer_scope.metadata["choices"]
    for word in (*ALIASES, *scopes):
        assert f"`{word}`" in PAGE
