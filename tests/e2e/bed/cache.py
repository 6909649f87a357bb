"""The folder that outlives a run: what was downloaded and unpacked, whole or not there."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache() -> Path:
    """The folder that outlives a run: CPUPLACE_E2E_CACHE, else below the user's cache."""
    named = os.environ.get("CPUPLACE_E2E_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cpuplace-e2e"


def made(name: str, make: Callable[[Path, Path], None]) -> Path:
    """The folder of this name in the cache; `make(work, folder)` makes it when there is none, with room to work in.

    What lies in the cache is whole: it is made beside and renamed at last. Two runs at once wait for each other.
    """
    place = cache()
    place.mkdir(parents=True, exist_ok=True)
    whole = place / name
    with locked(place / "lock"):
        if not whole.exists():
            with scratch(place) as work:
                make(work, work / name)
                (work / name).rename(whole)
    return whole


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone on this machine."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """A folder for half-made things, on the same filesystem."""
    for left in place.glob("making-*"):  # of a run that was killed: nobody else is here
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="making-", dir=place))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
