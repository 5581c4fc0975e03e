"""The commands: each asks the operator or a gateway, and prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cortex import environments
from cortex.cli import tables
from cortex.client import Client
from cortex.environments import Environment
from cortex.exceptions import ConfigError, CortexError, OperatorRefused
from cortex.operator_api import Operator, check_cluster_version
from cortex.request import Request
from cortex.version import __version__

Command = Callable[[argparse.Namespace], int]
_WATCH_SECONDS = 2.0
_CLEAR = "\x1b[2J\x1b[H"


def get(args: argparse.Namespace) -> int:
    """List APIs, or tell about one."""
    environment = _environment(args)
    operator = Operator(environment)

    def look() -> str:
        found = operator.get_api(args.api) if args.api else operator.list_apis()
        if args.output == "json":
            return json.dumps(found)
        if args.api:
            return tables.details(environment.name, found[0], verbose=args.verbose)
        return tables.apis(environment.name, found)

    return _show(look, args.watch)


def describe(args: argparse.Namespace) -> int:
    """Tell what the replicas of an API do."""
    environment = _environment(args)
    operator = Operator(environment)

    def look() -> str:
        found = operator.describe_api(args.api)
        return json.dumps(found) if args.output == "json" else tables.description(environment.name, found[0])

    return _show(look, args.watch)


def deploy(args: argparse.Namespace) -> int:
    """Create or update the APIs of a file; 1 when one of them was not taken."""
    file = Path(args.file)
    try:
        config = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    results = _operator(args).deploy(config, file.name, force=args.force)
    errors = [each["error"] for each in results if each.get("error")]
    if args.output == "json":
        print(json.dumps(results))
    else:
        for each in results:
            if not each.get("error"):
                print(each["message"])
    for each in errors:
        print(f"error: {each}", file=sys.stderr)
    return 1 if errors else 0


def refresh(args: argparse.Namespace) -> int:
    """Restart the replicas of an API."""
    _print_message(_operator(args).refresh(args.api, force=args.force), args.output)
    return 0


def delete(args: argparse.Namespace) -> int:
    """Delete an API; asks first when somebody is there to answer."""
    asks = not args.force and args.output != "json" and sys.stdin.isatty()
    if asks and input(f"delete {args.api}? (y/n) ").strip().lower() not in {"y", "yes"}:
        raise CortexError("nothing was deleted")
    _print_message(_operator(args).delete(args.api, keep_cache=args.keep_cache), args.output)
    return 0


def logs(args: argparse.Namespace) -> int:
    """Print where an API's logs are; or the log of one replica, when asked for, or when there is no such place."""
    operator = _operator(args)
    follow = args.follow or args.random_pod
    if not follow:
        try:
            print(operator.log_url(args.api))
            return 0
        except OperatorRefused as error:
            if error.kind != "operator.no_log_url":
                raise
    for line in operator.log_lines(args.api, follow=follow):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    return 0


def submit(args: argparse.Namespace) -> int:
    """Submit a request; print its id, or with --wait its result."""
    body, guess = _payload(args.payload)
    kind = args.content_type or guess
    client = _client(args)
    wait = min(int(args.wait), 60) if args.wait else None
    request = client.submit(args.api, body, content_type=kind, wait=wait, idempotency_key=args.idempotency_key)
    if args.wait is None:
        print(request.id)
        return 0
    print(f"request {request.id}", file=sys.stderr)
    return _print_result(request, args.wait)


def result(args: argparse.Namespace) -> int:
    """Wait for a request, and print its result as JSON."""
    return _print_result(_client(args).request(args.api, args.id), args.timeout)


def cancel(args: argparse.Namespace) -> int:
    """Cancel a request."""
    _client(args).request(args.api, args.id).cancel()
    print(f"cancelling {args.id}")
    return 0


def env_list(args: argparse.Namespace) -> int:
    """List environments."""
    found = environments.load()
    if args.output == "json":
        print(json.dumps(found.document()))
        return 0
    blocks = []
    for each in found.all:
        mark = " (default)" if each.name == found.default else ""
        blocks.append(f"{each.name}{mark}\ncortex operator endpoint: {each.operator_endpoint}")
    print("\n\n".join(blocks) or "no environments are configured")
    return 0


def env_configure(args: argparse.Namespace) -> int:
    """Add an environment, or change it."""
    environments.configure(args.name, args.operator_endpoint)
    print(f"configured {args.name} environment")
    return 0


def env_default(args: argparse.Namespace) -> int:
    """Make an environment the default."""
    environments.set_default(args.name)
    print(f"set {args.name} as the default environment")
    return 0


def env_delete(args: argparse.Namespace) -> int:
    """Remove an environment."""
    environments.delete(args.name)
    print(f"deleted {args.name} environment")
    return 0


def version(args: argparse.Namespace) -> int:
    """Print the versions of the client and the cluster."""
    print(f"client version: {__version__}")
    found = environments.load()
    if args.env is None and found.default is None:
        return 0
    environment = found.get(args.env)
    info = Operator(environment).info()
    print(f"cluster version: {info['cluster_config']['cortex_version']} (environment {environment.name})")
    return 0


def _environment(args: argparse.Namespace) -> Environment:
    check_cluster_version()
    return environments.load().get(args.env)


def _operator(args: argparse.Namespace) -> Operator:
    return Operator(_environment(args))


def _client(args: argparse.Namespace) -> Client:
    return Client(_environment(args))


def _show(look: Callable[[], str], watch: bool) -> int:
    if not watch:
        print(look())
        return 0
    while True:
        text = look()
        print(f"{_CLEAR if sys.stdout.isatty() else ''}{text}", flush=True)
        time.sleep(_WATCH_SECONDS)


def _print_message(answer: dict[str, str], output: str) -> None:
    print(json.dumps({"message": answer["message"]}) if output == "json" else answer["message"])


def _print_result(request: Request, timeout: float | None) -> int:
    print(json.dumps(request.result(timeout), ensure_ascii=False))
    return 0


def _payload(argument: str) -> tuple[bytes, str]:
    """Return the payload that an argument names, and its content type: JSON when it is JSON."""
    try:
        if argument == "-":
            body = sys.stdin.buffer.read()
        elif argument.startswith("@"):
            body = Path(argument[1:]).read_bytes()
        else:
            body = os.fsencode(argument)
    except OSError as error:
        raise ConfigError(f"the payload {argument} cannot be read: {error.strerror}") from error
    try:
        text: Any = body.decode()
    except UnicodeDecodeError:
        return body, "application/octet-stream"
    try:
        json.loads(text)
    except ValueError:
        return body, "text/plain; charset=utf-8"
    return body, "application/json"
