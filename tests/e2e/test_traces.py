"""Spans of a request, from a gateway and a dispatcher in different pods, at one receiver."""

import base64
import json
from collections.abc import Callable

from e2e.api import Api, Images, plain_pod
from e2e.cluster import Cluster, until
from support.otlp_receiver import Span, decoded

PORT = 4318
NAMES = ("submit", "queue", "process", "POST", "store")


def test_spans_of_a_request_have_one_trace(make_api: Callable[..., Api], cluster: Cluster, images: Images) -> None:
    cluster.apply(*plain_pod("spans", images.glue, ["python", "/e2e/spans.py", str(PORT)], PORT))
    cluster.kubectl("wait", "pod/spans", "--for=condition=Ready", "--timeout=60s")
    repository, _, tag = images.otel.rpartition(":")
    tracing = {"endpoint": f"http://spans.{cluster.namespace}.svc:{PORT}", "sampleRatio": 1}
    api = make_api("traced", image={"repository": repository, "tag": tag}, monitoring={"tracing": tracing})
    api.install()
    request_id = api.submit({"n": 1, "sleep": 0.2})
    assert api.ended(request_id)["status"] == "completed"

    def received() -> dict[str, Span]:
        place = f"/api/v1/namespaces/{cluster.namespace}/services/spans:{PORT}/proxy/"
        bodies = json.loads(cluster.kubectl("get", "--raw", place))
        return {span.name: span for body in bodies for span in decoded(base64.b64decode(body))}

    until("a span of each kind", lambda: received().keys() >= set(NAMES))
    submit, queue, process, post, store = (received()[name] for name in NAMES)
    assert len({each.trace_id for each in (submit, queue, process, post, store)}) == 1
    assert queue.parent == process.parent == submit.id
    assert post.parent == store.parent == process.id
    assert submit.service == "api-traced-gateway"
    assert {each.service for each in (queue, process, post, store)} == {"api-traced"}
    assert submit.facts["cortex_async.request_id"] == process.facts["cortex_async.request_id"] == request_id
    assert queue.start < queue.end <= process.end
    assert process.start <= post.start <= post.end <= store.end <= process.end
    api.uninstall()
    cluster.kubectl("delete", "pod/spans", "service/spans", "--grace-period=0", "--force")
