"""What a reviewer says about two files that go to the same cluster.

Each check gives, for one file, what it takes for itself and where that is written; two files that take the same
thing are in each other's way.
"""

from collections.abc import Callable, Hashable, Iterator

from cortex_async.lint.checks.model import Values
from cortex_async.values.document import FieldPath

Claim = tuple[FieldPath, Hashable, str]
"""Where it is written, what is taken, and the words for it."""

AcrossCheck = Callable[[Values], Iterator[Claim]]


def same_name(values: Values) -> Iterator[Claim]:
    """Two APIs of one name in one account share a queue and results: give one of them another name, or another
    `clusterName`. Said of files with the same name, clusterName, region and bucket."""
    name, aws = values.get("name"), values["aws"]
    if name:
        taken = (name, values["clusterName"], aws.get("region"), aws.get("bucket"))
        yield ("name",), taken, f"the name {name}, with the same clusterName, region and bucket"


def same_endpoint(values: Values) -> Iterator[Claim]:
    """Two APIs of one endpoint take each other's requests: give one of them another `networking.endpoint`. Said
    of files that set the same endpoint for the same clusterName."""
    endpoint = (values["networking"].get("endpoint") or "").strip("/")
    if endpoint:
        taken = (endpoint, values["clusterName"])
        yield ("networking", "endpoint"), taken, f"the endpoint /{endpoint}, with the same clusterName"
