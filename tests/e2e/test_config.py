"""Where containerd looks for what its configuration says."""

import tomllib
from pathlib import Path

import pytest

from e2e.containerd.config import Patience, text


@pytest.mark.parametrize("version", ["1.7.24", "2.1.9"])
def test_the_patience_with_plugins_stands_in_nris_own_table(version: str) -> None:
    """Anywhere else it is taken without a word, and means nothing (nri-plugins#745)."""
    patience = Patience(registration="500ms", request="300ms")
    said = tomllib.loads(text(version, base=Path("/b"), runc=Path("/runc"), patience=patience))
    nri = said["plugins"]["io.containerd.nri.v1.nri"]
    assert (nri["plugin_registration_timeout"], nri["plugin_request_timeout"]) == ("500ms", "300ms")
