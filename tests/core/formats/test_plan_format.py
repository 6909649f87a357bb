"""What `plan -o json` printed, read back."""

import json
from typing import Any

import pytest

import cpuplace as cp
from cpuplace.formats import plan as plan_format

ONE: dict[str, Any] = {"pod": "default/db", "container": "main", "kind": "integer", "cpus": "1-2", "mems": "0"}


def text(*containers: dict[str, Any], **more: Any) -> str:
    return json.dumps({"schema": 1, "host": "box", "containers": containers, "pool": "0,3", "steps": [], **more})


def test_who_holds_what() -> None:
    host, found = plan_format.parse(text(ONE, {**ONE, "container": "init", "init": True}))
    assert (host, str(found.pool), list(found.holdings)) == ("box", "0,3", [("default/db", "main")])
    (one,) = found.holdings.values()
    assert (one.kind, one.cpus, one.mems) == (cp.Kind.INTEGER, cp.CpuSet([1, 2]), cp.NodeSet([0]))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{", "at line 1 column 2"),
        ("[]", "at the top: expected an object"),
        (text(schema=2), "at schema: version 2 cannot be read, only 1 (written by a newer"),
        (text(schema=0), "at schema: version 0 cannot be read, only 1"),
        (text(ONE, ONE), "at containers[1]: container 'main' of 'default/db' is there twice"),
        (text({**ONE, "kind": "x"}), "at containers[0].kind: unknown kind 'x'"),
        (text({**ONE, "mems": "x"}), "at containers[0].mems"),
        (text({**ONE, "cpus": "x"}), "at containers[0].cpus"),
        (text({"pod": "p"}), "the field 'kind' is missing"),
        (text(pool=None), "at pool: expected text"),
    ],
)
def test_what_cannot_be_read(said: str, words: str) -> None:
    with pytest.raises(cp.BadInput) as caught:
        plan_format.parse(said, source="p.json")
    assert str(caught.value).startswith("p.json, at ")
    assert words in str(caught.value)
