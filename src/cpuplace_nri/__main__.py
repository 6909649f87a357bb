"""`python -m cpuplace_nri`: the plugin, without the command's libraries."""

import sys

from cpuplace_nri.main import main

if __name__ == "__main__":
    sys.exit(main())
