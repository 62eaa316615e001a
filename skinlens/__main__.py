"""``python -m skinlens``: the command line of ``skinlens.cli``."""

import sys

from skinlens.cli import main

if __name__ == "__main__":
    sys.exit(main())
