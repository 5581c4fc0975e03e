"""The command line: `cortex-async <command>` or `python -m cortex_async <command>`.

A command is a module with `add_arguments(parser)` and `run(args) -> int`; only the one that is called gets
imported, so that the dispatcher never pays for what `local` needs.
"""

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence

from cortex_async import __version__
from cortex_async.errors import CortexError

COMMANDS = {
    "gateway": ("cortex_async.gateway.command", "accept requests over HTTP and answer for their results"),
    "dispatcher": ("cortex_async.dispatcher.command", "feed queued requests to the pod's web server"),
    "provision": ("cortex_async.provision", "create the queues and the bucket's lifecycle rule"),
    "dead-letters": ("cortex_async.dead_letters", "list, redrive or purge the requests that were given up"),
    "smoke": ("cortex_async.smoke", "submit one request to a running API and wait for its result"),
    "local": ("cortex_async.local.command", "run a values file on this machine, without a cluster"),
    "new": ("cortex_async.authoring.new", "write a commented values file for one API"),
    "import": ("cortex_async.authoring.importing", "write a values file for each AsyncAPI of a cortex.yaml"),
    "lint": ("cortex_async.lint.command", "say what is wrong with values files, before anything is installed"),
    "diff": ("cortex_async.authoring.diff", "say what an edit changes in the cluster, and which pods restart"),
    "iam-policy": ("cortex_async.authoring.iam_policy", "print the AWS permissions that an API needs"),
}


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "commands:\n" + "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed for a reason it printed, 2 wrong usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    top = argparse.ArgumentParser(
        prog="cortex-async", epilog=_overview(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=os.environ.get("CORTEX_VERSION", __version__))
    top.add_argument("command", choices=COMMANDS, metavar="command")
    chosen = top.parse_args(words[:1]).command
    module_name, summary = COMMANDS[chosen]
    gc.disable()  # imports leave next to no garbage, and looking for it takes a seventh of the start
    module = importlib.import_module(module_name)
    gc.enable()
    parser = argparse.ArgumentParser(prog=f"cortex-async {chosen}", description=f"{module.__doc__ or summary}")
    module.add_arguments(parser)
    args = parser.parse_args(words[1:])
    try:
        return int(module.run(args))
    except CortexError as error:
        print(f"cortex-async {chosen}: {error}", file=sys.stderr)
        return 1
