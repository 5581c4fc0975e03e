"""The command line `cortex-async <command>`: the tools, and the commands that the image has too."""

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
    "doctor": ("cortex_async_tools.doctor.command", "say what an API lacks in account and cluster"),
    "iam-policy": ("cortex_async_tools.authoring.iam_policy", "print the AWS permissions that an API needs"),
}

_SERVICES = {"gateway", "dispatcher", "local"}
"""Commands that handle signals and output themselves. An unexpected error in one shows its traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 is success, 1 a failure whose reason was printed, 2 wrong usage, 130 Ctrl-C, 141 a closed output pipe.
    `lint` returns 2 also when it could not run.
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
    """Run a tool; turn Ctrl-C and a closed pipe into exit codes, and system errors into a CortexError."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as Python does for stderr
    try:
        code = _call(chosen, words)
        print(end="", flush=True)
        return code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except ModuleNotFoundError as error:
        raise CortexError(
            f"it needs the package {error.name}, which is not installed; in a checkout `make .venv/.ready` "
            "installs all that the commands need (`make demo` only what `local` does)"
        ) from error
    except RecursionError as error:
        raise CortexError("the input is nested too deeply") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CortexError(f"{where}{error.strerror or error}") from error
    finally:
        _drop_unwritable_output()


def _drop_unwritable_output() -> None:
    """Discard output that cannot be written, so that Python does not try again when it exits."""
    for stream in (sys.stdout, sys.stderr):
        try:
            print(end="", file=stream, flush=True)
        except OSError:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
