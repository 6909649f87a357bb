"""Where the script `cpuplace` and `python -m cpuplace_cli` begin."""

import sys

from cpuplace_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
