"""What the doctor looks at, and what it finds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cortex_async.config import ApiConfig
from cortex_async_tools.chart.rendering import Object
from cortex_async_tools.doctor.cluster import Cluster

State = Literal["ok", "later", "unknown", "missing"]
"""`later` comes by itself, `unknown` may not be looked at or needs no mending, `missing` must be mended."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what it is, how it is, and the command or the key that mends it."""

    what: str
    state: State
    text: str
    mend: str = ""


@dataclass(frozen=True)
class Subject:
    """An API: its values, what is rendered of them, and where it is to run.

    `words` are the values files as the arguments of commands.
    """

    values: Mapping[str, Any]
    objects: Sequence[Object]
    api: ApiConfig
    cluster: Cluster
    namespace: str
    release: str
    words: str

    @property
    def install(self) -> str:
        """The command that installs or changes the release."""
        files = self.words.replace(" -f ", " --values ")
        return (
            f"helm upgrade --install {self.release} <the chart> --namespace {self.namespace} --values {files}"
            " --set image.repository=<your registry>/cortex-async"
        )

    def path(self, group: str, plural: str, name: str = "") -> str:
        """Return the API server's path of an object of the namespace; `group` as `v1` or `apps/v1`."""
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        return f"{base}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def rendered(self, kind: str) -> Iterator[Object]:
        """Yield the rendered objects of a kind."""
        return (each for each in self.objects if each["kind"] == kind)

    def pods(self) -> Iterator[tuple[Object, Mapping[str, Any]]]:
        """Yield the Deployments and Jobs with the specification of their pods."""
        for each in self.objects:
            if each["kind"] in {"Deployment", "Job"}:
                yield each, each["spec"]["template"]["spec"]
