"""Where the script `cpuplace` and `python -m cpuplace_cli` begin: a plain install lacks the command's libraries."""

import sys

LIBRARIES = ("cyclopts", "rich", "yaml")


def main() -> int:
    """Run the command and return its exit code; 2 and one line when the extra `cli` is not installed."""
    try:
        from cpuplace_cli.main import main as run
    except ModuleNotFoundError as missing:
        if missing.name not in LIBRARIES:
            raise
        sys.stderr.write(f"cpuplace: error: the command needs {missing.name}: pip install 'cpuplace[cli]'\n")
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
