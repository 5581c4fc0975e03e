"""What a reviewer says about two files that go to the same cluster.

Each check gives, for one file, what it takes for itself and where that is written; two files that take the same
thing are in each other's way.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

from cortex_async_tools.chart.values_file.document import FieldPath
from cortex_async_tools.lint.checks.check import MergedValues


class Claim(NamedTuple):
    """Where it is written, what is taken, and the words for it.

    Two files that both take it `by_default` are in each other's way for another reason, which has its own check.
    """

    path: FieldPath
    taken: Hashable
    text: str
    by_default: bool = False


CrossFileCheck = Callable[[MergedValues], Iterator[Claim]]


def same_name(values: MergedValues) -> Iterator[Claim]:
    """Two APIs of one name in one account share a queue and results: give one of them another name, or another
    `clusterName`. Said of files with the same name, clusterName, region and bucket."""
    name, aws = values.get("name"), values["aws"]
    if name:
        taken = (name, values["clusterName"], aws.get("region"), aws.get("bucket"))
        yield Claim(("name",), taken, f"the name {name}, with the same clusterName, region and bucket")


def same_endpoint(values: MergedValues) -> Iterator[Claim]:
    """Two APIs of one endpoint take each other's requests: give one of them another `networking.endpoint`. Said
    of files with the same clusterName, when one of them sets the endpoint, which else is the name."""
    own = (values["networking"].get("endpoint") or "").strip("/")
    endpoint = own or values.get("name")
    if endpoint:
        path, whose = (("networking", "endpoint"), "") if own else (("name",), ", which comes from the name")
        text = f"the endpoint /{endpoint}{whose}, with the same clusterName"
        yield Claim(path, (endpoint, values["clusterName"]), text, by_default=not own)
