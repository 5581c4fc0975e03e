"""Say what an API lacks to run, in the order in which it is to be mended, each with the command that mends it.

The account is asked with your own AWS credentials, the cluster by kubectl with your own rights; nothing is
changed. After an installation the pods, their events and the provisioning Job tell why a release is not ready.
What you may not look at is `unknown`. Whether a role has a policy is looked at, and not what that allows.
Exit code: 0 when nothing is missing, 1 otherwise.
"""

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path

from cortex_async_tools.authoring.writing import shell_word
from cortex_async_tools.chart import helm
from cortex_async_tools.chart.rendering import add_overlays_argument, api_config, release_name, render_file
from cortex_async_tools.chart.values_file import Chart, Overlay, laid_over, merge
from cortex_async_tools.chart.values_file.document import read_document
from cortex_async_tools.doctor import account, platform, release
from cortex_async_tools.doctor.cluster import Cluster
from cortex_async_tools.doctor.subject import Finding, Subject

_WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("values", type=Path, metavar="VALUES", help="values file of the API")
    add_overlays_argument(parser)
    parser.add_argument("--namespace", "-n", metavar="NAME", help="namespace (default: that of your kubeconfig)")
    parser.add_argument("--context", metavar="NAME", help="context of your kubeconfig (default: the current one)")
    parser.add_argument("--release", metavar="NAME", help="name of the release (default: that of the API)")
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="chart to render (default: this checkout's)")


def run(args: argparse.Namespace) -> int:
    """Print what was found; raises ValuesError and RenderError."""
    subject = _subject(args)
    findings: list[Finding] = []
    for finding in _look(subject):
        findings.append(finding)
        print(_told(finding), flush=True)
    missing = [each for each in findings if each.state == "missing"]
    unknown = sum(each.state == "unknown" for each in findings)
    also = f"; {unknown} could not be looked at" if unknown else ""
    print(f"\n{len(missing)} to mend, in this order{also}" if missing else f"\nnothing to mend{also}")
    return 1 if missing else 0


def _subject(args: argparse.Namespace) -> Subject:
    chart = Chart(args.chart)
    objects = render_file(args.values, chart.folder, args.overlays)
    over = [Overlay(each, read_document(each)) for each in args.overlays]
    api = api_config(objects)
    cluster = Cluster(helm.kubectl(), args.context)
    named = [args.values, *args.overlays]
    return Subject(
        values=merge(laid_over(read_document(args.values), over), chart.defaults),
        objects=objects,
        api=api,
        cluster=cluster,
        namespace=args.namespace or cluster.namespace(),
        release=args.release or api.name or release_name(args.values),
        words=" -f ".join(shell_word(each) for each in named),
    )


def _look(subject: Subject) -> Iterator[Finding]:
    """Yield what is found, in the order in which it is to be mended."""
    yield from account.check(subject, installed=release.installed(subject))
    answers, finding = platform.reach(subject)
    yield finding
    if answers:
        yield from platform.check(subject)
        yield from release.check(subject)


def _told(finding: Finding) -> str:
    text = textwrap.fill(
        f"{finding.state:<8} {finding.what}: {finding.text}",
        _WIDTH,
        subsequent_indent=" " * 9,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{text}\n{' ' * 9}> {finding.mend}" if finding.mend and finding.state != "ok" else text
