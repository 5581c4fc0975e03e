"""Warnings about values files that conflict with each other in one cluster.

Each check returns the claims of one file, such as a name or an endpoint. Two files with the same claim conflict.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

from cortex_async_tools.chart.values_file.document import FieldPath
from cortex_async_tools.lint.checks.check import MergedValues


class Claim(NamedTuple):
    """Something that only one API can have: the field that sets it, what it is, and how messages describe it.

    Two claims that are both `by_default` are not reported: their files have the same name, which is reported.
    """

    path: FieldPath
    taken: Hashable
    text: str
    by_default: bool = False


CrossFileCheck = Callable[[MergedValues], Iterator[Claim]]


def same_name(values: MergedValues) -> Iterator[Claim]:
    """Two APIs with the same name in one account share a queue and results: give one of them another name or
    `clusterName`. Only for files with the same name, clusterName, region and bucket."""
    name, aws = values.get("name"), values["aws"]
    if name:
        taken = (name, values["clusterName"], aws.get("region"), aws.get("bucket"))
        yield Claim(("name",), taken, f"the name {name}, with the same clusterName, region and bucket")


def same_endpoint(values: MergedValues) -> Iterator[Claim]:
    """Two APIs with the same endpoint receive each other's requests: give one of them another
    `networking.endpoint`. Only for files with the same clusterName, when at least one sets the endpoint; its
    default is the name."""
    own = (values["networking"].get("endpoint") or "").strip("/")
    endpoint = own or values.get("name")
    if endpoint:
        path, whose = (("networking", "endpoint"), "") if own else (("name",), ", which comes from the name")
        text = f"the endpoint /{endpoint}{whose}, with the same clusterName"
        yield Claim(path, (endpoint, values["clusterName"]), text, by_default=not own)
