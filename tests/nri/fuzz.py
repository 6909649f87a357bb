"""Many malformed inputs: `python -m tests.nri.fuzz --inputs 1000000 --seed 1`; `--only 4711` tries one again."""

import argparse
import asyncio
import sys
import time

from nri.fuzzing import FoundError, fuzz


def main(arguments: list[str]) -> int:
    """0 when every input did what it may, 1 with the first that did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    said = parser.parse_args(arguments)
    numbers = range(said.first, said.first + said.inputs) if said.only is None else [said.only]
    began = time.perf_counter()
    try:
        tried = asyncio.run(fuzz(said.seed, numbers, told=lambda number: _progress(number, began)))
    except FoundError as found:
        print(found)
        raise
    seconds = time.perf_counter() - began
    print(f"{tried} inputs in {seconds:.0f} s, {tried / seconds:.0f} a second, seed {said.seed}: nothing found")
    return 0


def _progress(number: int, began: float) -> None:
    if number % 50_000 == 0 and number:
        print(f"{number} after {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
