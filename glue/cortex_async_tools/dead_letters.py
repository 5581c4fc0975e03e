"""Look at an API's dead letters, send them on their way again, or throw them away.

A dead letter is a request that was given up: its pod was killed, or could not be reached, at each of its attempts.
Its client sees it as failed. `redrive` makes it as if it had just been submitted, under the same id: the failed
result and the sign of its attempts are removed first, since a result is written once and attempts are counted. A
request that completed after all is dropped instead. One that is older than results are kept is sent as well, but
answered 404 until it runs, and the command says so. A payload in the bucket is kept for a dead letter, until the
bucket's lifecycle rule removes it.

Messages are moved by receiving, sending and deleting them, not by SQS's message move task: it would move also what
is not this API's, and what arrives while the results are being removed, which would then be run for nothing.
Interrupted in between, a message is in both queues at the worst, and a request that runs twice has one result.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions

from cortex_async import config
from cortex_async.dead_letters import DeadLetter, DeadLetters, DeadLettersError
from cortex_async.errors import ConfigError
from cortex_async_tools.aws_login import HOW_TO_LOG_IN
from cortex_async_tools.chart.rendering import add_overlays_argument, api_config, render_file
from cortex_async_tools.chart.values_file import find_chart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=["list", "redrive", "purge"], help="what to do with the dead letters")
    parser.add_argument("values", nargs="?", type=Path, metavar="VALUES", help="values file of the API")
    add_overlays_argument(parser)
    parser.add_argument("--config", type=Path, metavar="FILE", help="its api.json, instead of a values file")
    parser.add_argument(
        "--id", action="append", default=[], dest="ids", help="redrive this request only; repeatable"
    )
    parser.add_argument("--yes", action="store_true", help="purge without asking")


def run(args: argparse.Namespace) -> int:
    """Do it; raises DeadLettersError, and ConfigError without exactly one of VALUES and --config."""
    if (args.values is None) == (args.config is None):
        raise ConfigError("give either the values file of the API, or its api.json by --config")
    if args.values:
        api = api_config(render_file(args.values, find_chart(), args.overlays))
    else:
        api = config.load(args.config)
    actions: dict[str, Callable[[DeadLetters], int]] = {
        "list": _list,
        "redrive": lambda letters: _redrive(letters, frozenset(args.ids)),
        "purge": lambda letters: _purge(letters, sure=args.yes),
    }
    try:
        return actions[args.action](DeadLetters.of(api))
    except botocore.exceptions.NoCredentialsError as error:
        raise DeadLettersError(f"no AWS credentials found: {HOW_TO_LOG_IN}") from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise DeadLettersError(str(error)) from error


def _list(letters: DeadLetters) -> int:
    """Print a line for each; listing counts as a receive, as all looking into a queue does."""
    print(f"{'ID':<36}  {'SUBMITTED':<20}  {'RECEIVES':>8}  RESULT")
    taken: list[DeadLetter] = []
    for batch in letters.receive():
        taken += batch
        for letter in batch:
            if letter.request_id is None or letter.submitted is None:
                print(f"{letter.message_id:<36}  {'-':<20}  {letter.receive_count:>8}  not of this API")
                continue
            submitted = letter.submitted.strftime("%Y-%m-%dT%H:%M:%SZ")
            status = letters.status(letter.request_id)
            print(f"{letter.request_id:<36}  {submitted:<20}  {letter.receive_count:>8}  {status}")
    letters.release(taken)
    return 0


def _redrive(letters: DeadLetters, wanted: frozenset[str]) -> int:
    """Send requests again, and tell how many; 1 when one of `wanted` was not there."""
    done = letters.redrive(wanted)
    print(f"{len(done.sent)} sent again, {len(done.dropped)} dropped because completed, {len(done.kept)} left")
    for request_id in sorted(done.sent):
        if not letters.is_found_while_waiting(request_id):
            older = f"{request_id} is older than the {letters.retention_days} days of storage.retentionDays"
            print(f"{older}: GET answers 404 until it runs")
    missing = wanted - done.sent - done.dropped
    for request_id in sorted(missing):
        print(f"{request_id} is not among the dead letters", file=sys.stderr)
    return 1 if missing else 0


def _purge(letters: DeadLetters, *, sure: bool) -> int:
    """Throw all away; asks first, unless `sure`."""
    if not sure:
        try:
            answer = input(f"Throw away all messages of {letters.url}? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            print("nothing was thrown away", file=sys.stderr)
            return 1
    letters.purge()
    print("thrown away")
    return 0
