"""`python -m cortex`: the command."""

import sys

from cortex.cli.main import main

sys.exit(main())
