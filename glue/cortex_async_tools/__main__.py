"""`python -m cortex_async_tools <command>`, the same as `cortex-async <command>`."""

import sys

from cortex_async_tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
