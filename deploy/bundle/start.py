"""Starts the plugin of the folder that this file is in; any Python can read it, so that an old one can say so."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.stderr.write("99-cpuplace: needs Python 3.11 or newer, this is %s\n" % sys.version.split()[0])  # noqa: UP031
    sys.exit(2)
sys.path.insert(0, __file__.rpartition("/")[0] + "/lib")

from cpuplace_nri.main import main

sys.exit(main())
