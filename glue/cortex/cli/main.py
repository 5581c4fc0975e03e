"""`cortex <command>`: parses the words, runs the command, and turns what it raises into an exit code.

0 done; 1 the reason is on stderr; 2 wrong usage; 3 the request failed; 4 the request had not ended in time.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from cortex.cli import commands, completion
from cortex.exceptions import CortexError, RequestFailed, ResultTimeout
from cortex.version import __version__


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    root = argparse.ArgumentParser(
        prog="cortex", description="Deploy and manage APIs, and submit requests to them."
    )
    root.add_argument("--version", action="version", version=__version__)
    group = root.add_subparsers(dest="command", metavar="command", required=True)

    get = _command(group, "get", commands.get, "list APIs, or tell about one", watch=True)
    get.add_argument("api", nargs="?", metavar="API")
    get.add_argument("-v", "--verbose", action="store_true", help="the API's configuration as well")
    _add_output(get)

    describe = _command(group, "describe", commands.describe, "tell what the replicas of an API do", watch=True)
    describe.add_argument("api", metavar="API")
    _add_output(describe)

    deploy = _command(group, "deploy", commands.deploy, "create or update the APIs of a file")
    deploy.add_argument("file", nargs="?", default="cortex.yaml", metavar="FILE", help="default: cortex.yaml")
    deploy.add_argument("-f", "--force", action="store_true", help="even while an update is going on")
    deploy.add_argument("-y", "--yes", action="store_true", help="accepted, as there are no questions")
    _add_output(deploy)

    refresh = _command(group, "refresh", commands.refresh, "restart the replicas of an API, one after the other")
    refresh.add_argument("api", metavar="API")
    refresh.add_argument("-f", "--force", action="store_true", help="even while an update is going on")
    _add_output(refresh)

    delete = _command(group, "delete", commands.delete, "delete an API")
    delete.add_argument("api", metavar="API")
    delete.add_argument("-f", "--force", action="store_true", help="ask nothing")
    delete.add_argument("-c", "--keep-cache", action="store_true", help="accepted, as there is no cache")
    _add_output(delete)

    logs = _command(group, "logs", commands.logs, "show where an API's logs are, or the log of one replica")
    logs.add_argument("api", metavar="API")
    logs.add_argument("--random-pod", action="store_true", help="follow the log of one replica, chosen at random")
    logs.add_argument("--follow", action="store_true", help="the same")

    submit = _command(group, "submit", commands.submit, "submit a request, and print its id")
    submit.add_argument("api", metavar="API")
    submit.add_argument("payload", nargs="?", default="-", metavar="PAYLOAD", help="text, @FILE, or - for stdin")
    submit.add_argument("--content-type", metavar="TYPE", help="default: application/json for JSON")
    submit.add_argument("--idempotency-key", metavar="KEY", help="submitted again with it, nothing runs twice")
    submit.add_argument("--wait", type=float, metavar="SECONDS", help="wait for the result, and print it")

    result = _command(group, "result", commands.result, "wait for a request, and print its result")
    result.add_argument("api", metavar="API")
    result.add_argument("id", metavar="ID")
    result.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer than that")

    cancel = _command(group, "cancel", commands.cancel, "cancel a request")
    cancel.add_argument("api", metavar="API")
    cancel.add_argument("id", metavar="ID")

    _add_environments(group)
    _command(group, "version", commands.version, "print the versions of the client and the cluster")
    complete = group.add_parser("completion", help="print the completion script of a shell")
    complete.add_argument("shell", choices=("bash", "zsh"))
    complete.set_defaults(run=completion.run)
    return root


Group = argparse._SubParsersAction  # the only name that argparse has for it


def _command(
    group: Group[argparse.ArgumentParser], name: str, run: commands.Command, summary: str, *, watch: bool = False
) -> argparse.ArgumentParser:
    made = group.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    made.add_argument("-e", "--env", metavar="ENV", help="environment (default: the default one)")
    if watch:
        made.add_argument("-w", "--watch", action="store_true", help="again every 2 seconds, until Ctrl-C")
    made.set_defaults(run=run)
    return made


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--output", choices=("pretty", "json"), default="pretty")


def _add_environments(group: Group[argparse.ArgumentParser]) -> None:
    env = group.add_parser("env", help="manage environments", description="Manage environments.")
    actions = env.add_subparsers(dest="action", metavar="action", required=True)
    listing = actions.add_parser("list", help="list environments")
    _add_output(listing)
    listing.set_defaults(run=commands.env_list)
    configure = actions.add_parser("configure", help="add an environment, or change it")
    configure.add_argument("name", metavar="NAME")
    configure.add_argument("-o", "--operator-endpoint", required=True, metavar="URL")
    configure.set_defaults(run=commands.env_configure)
    for name, run, summary in (
        ("default", commands.env_default, "make an environment the default"),
        ("delete", commands.env_delete, "remove an environment"),
    ):
        made = actions.add_parser(name, help=summary)
        made.add_argument("name", metavar="NAME")
        made.set_defaults(run=run)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = parser().parse_args(words)
    try:
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except ResultTimeout as error:
        return _told(error, 4)
    except RequestFailed as error:
        return _told(error, 3)
    except CortexError as error:
        return _told(error, 1)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return 128 + signal.SIGPIPE


def _told(error: CortexError, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code
