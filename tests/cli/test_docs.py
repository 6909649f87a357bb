"""The pages that are made from the command's code say what the code says."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_the_catalogue_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("hosts_page", ROOT / "docs" / "hosts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page()
