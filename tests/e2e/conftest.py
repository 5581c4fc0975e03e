"""The suites need a cluster: skipped without a kubeconfig, failed when the one that is given cannot be reached."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.api import Api, Images, plain_pod
from e2e.cluster import Cluster, Failed, succeeds, until

HERE = Path(__file__).parent
FIGURES = pytest.StashKey[list[tuple[str, dict[str, Any]]]]()
COLUMNS = ["requests", "completed", "failed", "lost", "wrong", "repeated", "refused", "longest_result_seconds"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("e2e", "end-to-end suites")
    images = {"glue": "cortex-async:0.1.0", "example": "hello-world:1.0.0", "warm-model": "warm-model:1.0.0"}
    images |= {"emulator": "emulator:1.5.33", "operator": "cortex-operator:0.1.0", "client": "cortex-client:0.1.0"}
    images["otel"] = "cortex-async:0.1.0-otel"
    for name, default in images.items():
        group.addoption(f"--{name}-image", default=default, help=f"image of that name (default: {default})")
    for word in ("image", "version"):
        group.addoption(f"--prometheus-{word}", help=f"{word} of Prometheus, if not its operator's default")
    group.addoption("--namespace-prefix", default="e2e", help="how the namespaces' names begin (default: e2e)")
    for word in ("stop", "start"):
        group.addoption(f"--{word}-kubelet", help=f"shell command that {word}s the node's kubelet")


def kubeconfig(config: pytest.Config) -> str | None:
    """The kubeconfig that was given to pytest-helm-charts, whose plugin `make test` does not load."""
    if not config.pluginmanager.has_plugin("pytest_helm_charts.plugin"):
        return None
    return config.getoption("kubeconfig", None) or os.environ.get("KUBECONFIG") or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if kubeconfig(config):
        return
    skip = pytest.mark.skip(reason="needs a cluster: make e2e KUBECONFIG=<file> IMAGE=<image of the glue>")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(skip)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(FIGURES, [])
    if not found:
        return
    terminalreporter.section("figures")
    terminalreporter.line(f"| suite | {' | '.join(COLUMNS)} | else |")
    terminalreporter.line("|---" * (len(COLUMNS) + 2) + "|")
    for name, figures in found:
        more = {key: value for key, value in figures.items() if key not in COLUMNS and value}
        cells = [str(figures.get(column, "")) for column in COLUMNS]
        words = ", ".join(f"{key}: {value}" for key, value in more.items())
        terminalreporter.line(f"| {name} | {' | '.join(cells)} | {words} |")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note the figures of a test, which are printed at the end."""

    def take(**figures: Any) -> None:
        request.config.stash.setdefault(FIGURES, []).append((request.node.name, figures))

    return take


@pytest.fixture(scope="session")
def images(pytestconfig: pytest.Config) -> Images:
    names = ("glue", "example", "warm_model", "emulator", "operator", "client", "otel")
    return Images(*(pytestconfig.getoption(f"{name}_image") for name in names))


@pytest.fixture(scope="session")
def make_namespace(pytestconfig: pytest.Config) -> Iterator[Callable[[], Cluster]]:
    """Make namespaces that are deleted after the session."""
    made: list[Cluster] = []
    prefix = pytestconfig.getoption("namespace_prefix")

    def make() -> Cluster:
        cluster = Cluster(Path(str(kubeconfig(pytestconfig))), f"{prefix}-{uuid.uuid4().hex[:6]}")
        try:
            cluster.kubectl("version", "--request-timeout", "20s")
        except Failed as error:
            pytest.fail(f"the cluster of {cluster.kubeconfig} cannot be reached: {error}", pytrace=False)
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace, "labels": labels}}
        )
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.kubectl("delete", "namespace", cluster.namespace, "--wait=false")


@pytest.fixture(scope="session")
def cluster(make_namespace: Callable[[], Cluster], images: Images) -> Cluster:
    """A namespace with an S3 and SQS server, the programs of the suites, and a witness that denies all else."""
    cluster = make_namespace()
    programs = [f"--from-file={each}" for each in sorted((HERE / "programs").glob("*.py"))]
    cluster.kubectl("create", "configmap", "programs", *programs)
    command = ["sh", "-c", "ministack & echo $! > /tmp/pid; wait"]  # not process 1, which nobody could stop
    server = plain_pod("emulator", images.emulator, command, 4566, BIND_HOST="0.0.0.0", GATEWAY_PORT="4566")
    cluster.apply(*server)
    cluster.apply(*plain_pod("denied", images.glue, ["python", "/e2e/load.py", "", "0", "{}"], 8000))
    cluster.kubectl("wait", "pod/emulator", "pod/denied", "--for=condition=Ready", "--timeout=180s")
    code = "import boto3; boto3.client('s3', region_name='us-east-1', endpoint_url='http://emulator:4566', "
    code += "aws_access_key_id='x', aws_secret_access_key='x').create_bucket(Bucket='results')"
    until("the Service to lead to the emulator, and a bucket", lambda: succeeds(cluster.python, "denied", code))
    return cluster


@pytest.fixture(scope="session")
def lenient(make_namespace: Callable[[], Cluster]) -> Cluster:
    """A namespace that enforces no Pod Security."""
    cluster = make_namespace()
    label = "pod-security.kubernetes.io/enforce=privileged"
    cluster.kubectl("label", "namespace", cluster.namespace, label, "--overwrite")
    return cluster


@pytest.fixture(scope="session")
def make_api(cluster: Cluster, images: Images) -> Callable[..., Api]:
    """An API of the suites' own container, at the namespace's S3 and SQS server; not yet installed."""

    def make(name: str, **changes: Any) -> Api:
        return Api(cluster, images, name, changes)

    return make
