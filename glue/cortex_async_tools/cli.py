"""The command line `cortex-async <command>`: the commands of the image, and those for people."""

import io
import os
import signal
import sys
from collections.abc import Sequence

from cortex_async import __main__ as runtime
from cortex_async.errors import CortexError

COMMANDS = {
    **runtime.COMMANDS,
    "dead-letters": ("cortex_async_tools.dead_letters", "list, redrive or purge the requests that were given up"),
    "local": ("cortex_async_tools.local.command", "run a values file on this machine, without a cluster"),
    "new": ("cortex_async_tools.authoring.new", "write a commented values file for one API"),
    "import": ("cortex_async_tools.authoring.importing", "write a values file for each AsyncAPI of a cortex.yaml"),
    "lint": ("cortex_async_tools.lint.command", "say what is wrong with values files, before they are installed"),
    "diff": ("cortex_async_tools.authoring.diff", "say what an edit changes in the cluster, and what restarts"),
    "iam-policy": ("cortex_async_tools.authoring.iam_policy", "print the AWS permissions that an API needs"),
}

_SERVICES = {"gateway", "dispatcher", "local"}
"""They handle signals and write their output themselves; any other error of theirs shows its traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed for a reason that it printed, 2 wrong usage.

    `lint` returns 2 also when it could not run. 130 is for Ctrl-C, 141 for output that nobody reads any more.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = runtime.parse_command("cortex-async", COMMANDS, words)
    call = _call if chosen in _SERVICES else _call_tool
    try:
        return call(chosen, words[1:])
    except CortexError as error:
        print(f"cortex-async {chosen}: {error}", file=sys.stderr)
        return 2 if chosen == "lint" else 1


def _call(chosen: str, words: Sequence[str]) -> int:
    return runtime.run_command("cortex-async", COMMANDS, chosen, words)


def _call_tool(chosen: str, words: Sequence[str]) -> int:
    """Run a command for people; what stops it (Ctrl-C, a closed pipe, the disk) becomes an exit code."""
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
