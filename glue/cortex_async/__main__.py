"""`python -m cortex_async <command>`."""

import sys

from cortex_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
