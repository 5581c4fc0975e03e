"""`python -m cortex_async <command>`: the image's entry point.

A command is a module with `add_arguments(parser)` and `run(args) -> int`. Only the module of the chosen command is
imported, so that the dispatcher does not pay for what provisioning needs.
"""

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence

from cortex_async import __version__
from cortex_async.errors import CortexError

Commands = Mapping[str, tuple[str, str]]
"""The name of each command: its module, and what it does in a few words."""

COMMANDS: Commands = {
    "gateway": ("cortex_async.gateway.command", "accept requests over HTTP and answer for their results"),
    "dispatcher": ("cortex_async.dispatcher.command", "feed queued requests to the pod's web server"),
    "provision": ("cortex_async.provision.command", "create the queues and the bucket's lifecycle rule"),
    "initial-replicas": ("cortex_async.initial_replicas", "give a new API its first number of replicas"),
    "smoke": ("cortex_async.smoke", "submit one request to a running API and wait for its result"),
}


def parse_command(program: str, commands: Commands, words: Sequence[str]) -> str:
    """Return the command that the first word names; exits with 2 on a wrong one, and with help without any."""
    width = max(map(len, commands))
    overview = "".join(f"  {name:<{width}}  {summary}\n" for name, (_, summary) in commands.items())
    parser = argparse.ArgumentParser(
        prog=program, epilog=f"commands:\n{overview}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=os.environ.get("CORTEX_VERSION", __version__))
    parser.add_argument("command", choices=commands, metavar="command")
    return str(parser.parse_args(words[:1] or ["--help"]).command)


def run_command(program: str, commands: Commands, chosen: str, words: Sequence[str]) -> int:
    """Import one command, parse its options and run it; return its exit code."""
    module_name, summary = commands[chosen]
    gc.disable()  # imports leave next to no garbage, and looking for it takes a seventh of the start
    module = importlib.import_module(module_name)
    gc.enable()
    parser = argparse.ArgumentParser(prog=f"{program} {chosen}", description=f"{module.__doc__ or summary}")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(words)))


def main(words: Sequence[str]) -> int:
    """Run one command: 0 done, 1 failed for a reason that it printed, 2 wrong usage."""
    chosen = parse_command("python -m cortex_async", COMMANDS, words)
    try:
        return run_command("python -m cortex_async", COMMANDS, chosen, words[1:])
    except CortexError as error:
        print(f"{chosen}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
