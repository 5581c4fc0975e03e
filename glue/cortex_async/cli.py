"""The command line: `cortex-async <command>` or `python -m cortex_async <command>`.

A command is a module with `add_arguments(parser)` and `run(args) -> int`; only the one that is called gets
imported, so that the dispatcher never pays for what `local` needs.
"""

import argparse
import gc
import importlib
import io
import os
import signal
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

_SERVICES = {"gateway", "dispatcher", "local"}
"""They hear signals and write their output in ways of their own; what else escapes them shows its traceback."""


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "commands:\n" + "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed for a reason it printed, 2 wrong usage.

    `lint` says 2 also when it could not run. 130 is for Ctrl-C, 141 for output that nobody reads any more.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    top = argparse.ArgumentParser(
        prog="cortex-async", epilog=_overview(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=os.environ.get("CORTEX_VERSION", __version__))
    top.add_argument("command", choices=COMMANDS, metavar="command")
    chosen = top.parse_args(words[:1]).command
    call = _call if chosen in _SERVICES else _call_tool
    try:
        return call(chosen, words[1:])
    except CortexError as error:
        print(f"cortex-async {chosen}: {error}", file=sys.stderr)
        return 2 if chosen == "lint" else 1


def _call(chosen: str, words: Sequence[str]) -> int:
    module_name, summary = COMMANDS[chosen]
    gc.disable()  # imports leave next to no garbage, and looking for it takes a seventh of the start
    module = importlib.import_module(module_name)
    gc.enable()
    parser = argparse.ArgumentParser(prog=f"cortex-async {chosen}", description=f"{module.__doc__ or summary}")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(words)))


def _call_tool(chosen: str, words: Sequence[str]) -> int:
    """Run a command, and end as a program does that the shell's user, its reader or the disk stops."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr's are
    try:
        code = _call(chosen, words)
        print(end="", flush=True)
        return code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except RecursionError as error:
        raise CortexError("what it was given is nested too deeply") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CortexError(f"{where}{error.strerror or error}") from error
    finally:
        _drop_unwritable_output()


def _drop_unwritable_output() -> None:
    """Keep Python from trying again, and complaining, when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            print(end="", file=stream, flush=True)
        except OSError:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
