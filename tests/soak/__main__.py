"""`make soak`: exit code 0 when no process grew, and every request ended as it should, else 1."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from soak.run import Options, run


def main() -> int:
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=usual.minutes)
    parser.add_argument("--clients", type=int, default=usual.clients, metavar="N", help="of each kind")
    # However it is stopped, the processes it started end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = Options(**vars(parser.parse_args()))
    folder = Path(tempfile.mkdtemp(prefix="cortex-soak-"))
    holds = asyncio.run(run(options, folder, lambda text: print(text, flush=True)))
    if holds:
        shutil.rmtree(folder)
    else:
        print(f"the logs are in {folder}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
