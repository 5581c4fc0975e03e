# ruff: noqa: E501 (a table: a line is a case)
"""For each rule a set of values that breaks it and nothing else, and the field that has to be named."""

from typing import Any

from chart.helm_cli import at, merged, minimal, one_container

Refusal = tuple[str, dict[str, Any], str]


def _container(rule: str, field: str, **fields: Any) -> Refusal:
    return (rule, one_container(**fields), f"pod.containers.0.{field}")


def _two(*containers: dict[str, Any]) -> dict[str, Any]:
    both = [{"name": f"c{index}", "image": "x"} | each for index, each in enumerate(containers)]
    return minimal(pod={"containers": both})


def _key(path: str, value: Any, **more: Any) -> Refusal:
    return (f"{path}={value!r}"[:60], merged(minimal(**more), at(path, value)), path)


HTTP = {"http_get": {"port": 81}}
TCP = {"tcp_socket": {"port": 81}}
EXEC = {"exec": {"command": ["true"]}}

NAMES = [
    _key("name", "Hello"),
    _key("name", "1st"),
    _key("name", "a.b"),
    _key("name", "ends-"),
    _key("name", "a" * 43),
    _key("kind", "RealtimeAPI"),
    _key("clusterName", "c" * 26),
    ("a misspelt key at the top", minimal(nam="x"), "nam"),
    ("a misspelt key below", minimal(pod={"max_concurency": 2}), "max_concurency"),
]

POD = [
    _key("pod.port", 0),
    _key("pod.port", 65536),
    _key("pod.port", 8888),
    _key("pod.port", 15000),
    _key("pod.port", "8080"),
    _key("pod.max_concurrency", 0),
    _key("pod.max_concurrency", 101),
    _key("pod.request_timeout", 30),
    _key("pod.request_timeout", "30"),
    _key("pod.request_timeout", "500ms"),
    _key("pod.request_timeout", "0s"),
    _key("pod.request_timeout", "12h1s"),
    _key("pod.containers", []),
    ("no containers at all", {"aws": minimal()["aws"]}, "pod.containers"),
    ("a container without a name", minimal(pod={"containers": [{"image": "x"}]}), "name"),
    ("a container without an image", minimal(pod={"containers": [{"name": "x"}]}), "image"),
    ("two containers of one name", _two({"name": "web"}, {"name": "web"}), "pod.containers.1.name"),
    ("gpu and inf in one pod", _two({"compute": {"gpu": 1}}, {"compute": {"inf": 1}}), "pod.containers"),
]

CONTAINERS = [
    *(_container(f"the reserved name {name}", "name", name=name) for name in ("dequeuer", "dispatcher", "gateway", "proxy")),
    _container("a name with a capital", "name", name="Web"),
    _container("a name that is too long", "name", name="a" * 64),
    _container("an empty image", "image", image=""),
    _container("an image with a space", "image", image="a b"),
    _container("a command that is a string", "command", command="python server.py"),
    _container("args that are no strings", "args.1", args=["--port", 8080]),
    _container("env that is no string", "env.WORKERS", env={"WORKERS": 4}),
    _container("env of the platform", "env", env={"CORTEX_PORT": "1"}),
    _container("env of kubexit", "env", env={"KUBEXIT_NAME": "1"}),
    _container("too little cpu, as a number", "compute.cpu", compute={"cpu": 0.019}),
    _container("too little cpu, as a quantity", "compute.cpu", compute={"cpu": "19m"}),
    _container("cpu that is no quantity", "compute.cpu", compute={"cpu": "much"}),
    _container("too little mem, in bytes", "compute.mem", compute={"mem": 20971519}),
    _container("too little mem, as a quantity", "compute.mem", compute={"mem": "19Mi"}),
    _container("mem that is no quantity", "compute.mem", compute={"mem": "1GB"}),
    _container("mem with a fraction of a byte", "compute.mem", compute={"mem": "64.1Mi"}),
    ("host bits in 10.0.0.1/8", minimal(networkPolicy={"gatewayFrom": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}), "networkPolicy.gatewayFrom.0.ipBlock.cidr"),
    ("host bits in 10.0.128.0/16", minimal(networkPolicy={"gatewayFrom": [{"ipBlock": {"cidr": "10.0.128.0/16"}}]}), "networkPolicy.gatewayFrom.0.ipBlock.cidr"),
    ("host bits in 1.2.3.4/0", minimal(networkPolicy={"gatewayFrom": [{"ipBlock": {"cidr": "1.2.3.4/0"}}]}), "networkPolicy.gatewayFrom.0.ipBlock.cidr"),
    ("host bits in 2001:db8::1/32", minimal(networkPolicy={"gatewayFrom": [{"ipBlock": {"cidr": "2001:db8::1/32"}}]}), "networkPolicy.gatewayFrom.0.ipBlock.cidr"),
    ("host bits in fe80:1::/10", minimal(networkPolicy={"gatewayFrom": [{"ipBlock": {"cidr": "fe80:1::/10"}}]}), "networkPolicy.gatewayFrom.0.ipBlock.cidr"),
    ("host bits of a Prometheus", minimal(networkPolicy={"monitoringFrom": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}), "networkPolicy.monitoringFrom.0.ipBlock.cidr"),
    ("host bits of AWS", minimal(networkPolicy={"egress": {"awsTo": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}}), "networkPolicy.egress.awsTo.0.ipBlock.cidr"),
    ("host bits in podsTo", minimal(networkPolicy={"egress": {"podsTo": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}]}}), "networkPolicy.egress.podsTo.0.to.0.ipBlock.cidr"),
    ("a rule for everything", minimal(networkPolicy={"egress": {"podsTo": [{}]}}), "networkPolicy.egress.podsTo.0"),
    ("no port of DNS", minimal(networkPolicy={"egress": {"dnsPorts": []}}), "networkPolicy.egress.dnsPorts"),
    ("a proxy without its port", minimal(networkPolicy={"egress": {"enabled": True}}, aws={"extraEnv": [{"name": "https_proxy", "value": "http://proxy:3128"}]}), "networkPolicy.egress.awsPorts"),
    ("a CSI driver's name above 63 bytes", minimal(extraVolumes=[{"name": "a", "csi": {"driver": "d" * 64}}]), "extraVolumes.0.csi.driver"),
    _container("a negative gpu", "compute.gpu", compute={"gpu": -1}),
    _container("half a gpu", "compute.gpu", compute={"gpu": 0.5}),
    _container("a negative inf", "compute.inf", compute={"inf": -1}),
    _container("inf with neither cpu nor mem", "compute.inf", compute={"inf": 1, "cpu": None}),
    _container("shm above mem", "compute.shm", compute={"mem": "64Mi", "shm": "65Mi"}),
    _container("shm of no size", "compute.shm", compute={"shm": "0"}),
    _container("two kinds of readiness probe", "readiness_probe", readiness_probe=HTTP | TCP),
    _container("a readiness probe of no kind", "readiness_probe", readiness_probe={"period_seconds": 1}),
    _container("a readiness probe by exec", "readiness_probe", readiness_probe=EXEC),
    _container("a probe without a port", "readiness_probe.http_get", readiness_probe={"http_get": {"path": "/"}}),
    _container("a probe of port 0", "readiness_probe.tcp_socket.port", readiness_probe={"tcp_socket": {"port": 0}}),
    _container("a probe of a named port", "readiness_probe.tcp_socket.port", readiness_probe={"tcp_socket": {"port": "http"}}),
    _container("two kinds of liveness probe", "liveness_probe", liveness_probe=HTTP | EXEC),
    _container("a liveness probe of no kind", "liveness_probe", liveness_probe={}),
    _container("a liveness probe's success_threshold", "liveness_probe.success_threshold", liveness_probe=TCP | {"success_threshold": 2}),
    _container("an empty exec", "liveness_probe.exec.command", liveness_probe={"exec": {"command": []}}),
    *(
        _container(f"{field} out of range", f"readiness_probe.{field}", readiness_probe=TCP | {field: value})
        for field, value in [
            ("initial_delay_seconds", -1),
            ("timeout_seconds", 0),
            ("period_seconds", 0),
            ("success_threshold", 0),
            ("failure_threshold", 0),
        ]
    ),
    _container("two kinds of pre_stop", "pre_stop", pre_stop=HTTP | EXEC),
    _container("a pre_stop of no kind", "pre_stop", pre_stop={}),
    _container("a pre_stop by tcp_socket", "pre_stop", pre_stop=TCP),
    _container("a misspelt field", "readines_probe", readines_probe=TCP),
]  # fmt: skip

SCALING = [
    _key("autoscaling.min_replicas", -1),
    _key("autoscaling.max_replicas", 0),
    ("max below min", minimal(autoscaling={"min_replicas": 3, "max_replicas": 2}), "autoscaling.max_replicas"),
    ("init below min", minimal(autoscaling={"min_replicas": 2, "init_replicas": 1}), "autoscaling.init_replicas"),
    ("init above max", minimal(autoscaling={"max_replicas": 2, "init_replicas": 3}), "autoscaling.init_replicas"),
    _key("autoscaling.target_in_flight", 0),
    _key("autoscaling.window", "15s"),
    _key("autoscaling.window", "0s"),
    _key("autoscaling.downscale_stabilization_period", "-1s"),
    _key("autoscaling.upscale_stabilization_period", "soon"),
    _key("autoscaling.max_downscale_factor", 1),
    _key("autoscaling.max_downscale_factor", -0.1),
    _key("autoscaling.max_upscale_factor", 1),
    _key("autoscaling.downscale_tolerance", -0.1),
    _key("autoscaling.upscale_tolerance", -0.1),
    _key("node_groups", ["a b"]),
    _key("update_strategy.max_surge", -1),
    _key("update_strategy.max_surge", "25"),
    _key("update_strategy.max_unavailable", "101%"),
    ("both zero", minimal(update_strategy={"max_surge": 0, "max_unavailable": "0%"}), "update_strategy"),
    _key("networking.endpoint", "/"),
    _key("networking.endpoint", "a//b"),
    _key("networking.endpoint", "a/../b"),
    _key("networking.endpoint", "a?b"),
    _key("pod.cancel_path", "cancel"),
    _key("pod.result_content_types", ["png"]),
    _key("gateway.redirectOverMiB", 0),
    _key("gateway.maxQueued", 0),
    _key("gateway.apiKeys.requestsPerSecond", 0),
    _key("gateway.cors.allowedOrigins", ["app.example.com"]),
    _key("queue.fairnessHeader", "Authorization"),
    _key("gateway.payloadReferences", ["s3://my-data/images"]),
    _key("gateway.payloadReferences", ["my-data/images/"]),
    _key("gateway.payloadReferences", ["s3://my-data/*/"]),
    _key("gateway.payloadReferences", ["s3://my-data/../"]),
    _key("gateway.payloadReferences", ["s3://results/"]),
    _key("gateway.payloadReferences", ["s3://results/cortex/other/"]),
    (
        "tenants on a FIFO queue",
        minimal(queue={"url": "https://sqs.eu-west-1.amazonaws.com/1/a.fifo", "fairnessHeader": "X-Tenant"}),
        "queue.fairnessHeader",
    ),
]

_EMULATOR = {"emulator": {"enabled": True, "image": "emulator:1"}}
_MOUNT = {"name": "data", "mountPath": "/data"}
_VOLUMES = {"extraVolumes": [{"name": "data", "emptyDir": {}}]}

PLATFORM = [
    ("no region", {"pod": minimal()["pod"], "aws": {"bucket": "results"}}, "aws.region"),
    ("no bucket", {"pod": minimal()["pod"], "aws": {"region": "eu-west-1"}}, "aws.bucket"),
    _key("autoscaling.engine", "auto", gitops={"enabled": True}),
    _key("autoscaling.init_replicas", 2, gitops={"enabled": True}, autoscaling={"engine": "keda"}),
    _key("queue.deleteOnUninstall", True, gitops={"enabled": True}, autoscaling={"engine": "keda"}),
    _key("aws.bucket", "Upper"),
    _key("image.repository", ""),
    _key("image.repository", None),
    _key("queue.url", "not-a-url"),
    _key("queue.deleteOnUninstall", True, queue={"url": "https://sqs.internal/1/q"}),
    _key("terminationGracePeriodSeconds", 309, pod={"request_timeout": "5m"}),
    _key("gateway.autoscaling.maxReplicas", 1),
    _key("gateway.maxPayloadMiB", 50_001),
    ("a request above its limit", minimal(dispatcher={"resources": {"limits": {"memory": "99Mi"}}}), "dispatcher.resources.requests.memory"),
    ("a variable twice", minimal(extraEnv=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]), "extraEnv.1.name"),
    ("a variable that a container has", one_container(env={"A": "1"}) | {"extraEnv": [{"name": "A", "value": "2"}]}, "extraEnv.0.name"),
    ("a variable of the glue twice", minimal(aws={"extraEnv": [{"name": "A", "value": "1"}] * 2}), "aws.extraEnv.1.name"),
    ("a variable of the platform", minimal(extraEnv=[{"name": "CORTEX_PORT", "value": "1"}]), "extraEnv.0.name"),
    ("two volumes of one name", minimal(extraVolumes=_VOLUMES["extraVolumes"] * 2), "extraVolumes.1.name"),
    ("a volume of the chart's name", minimal(extraVolumes=[{"name": "mnt", "emptyDir": {}}]), "extraVolumes.0.name"),
    ("a mount of no volume", minimal(extraVolumeMounts=[_MOUNT]), "extraVolumeMounts.0.name"),
    ("two mounts at one path", minimal(extraVolumeMounts=[_MOUNT] * 2, **_VOLUMES), "extraVolumeMounts.1.mountPath"),
    ("a mount over the shared folder", minimal(extraVolumeMounts=[_MOUNT | {"mountPath": "/mnt"}], **_VOLUMES), "extraVolumeMounts.0.mountPath"),
    ("a spread twice", minimal(topologySpreadConstraints=[{"topologyKey": "zone"}] * 2), "topologySpreadConstraints.1.topologyKey"),
    ("an account that is made after the Job that needs it", minimal(serviceAccount={"name": "shared"}, provision={"serviceAccount": {"create": False, "name": "shared"}}), "provision.serviceAccount.name"),
    _key("name", "hello-dead-letter"),
    _key("name", "hello-webhooks"),
    ("the namespace's own account, made by the chart", minimal(provision={"serviceAccount": {"name": "default"}}), "provision.serviceAccount.name"),
    ("a switch for parent charts alone", minimal(enabled=False), "enabled"),
    ("the same Gateway twice", minimal(networking={"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}, {"name": "a"}]}}), "networking.httpRoute.parentRefs"),
    ("a service account made twice", minimal(gateway={"serviceAccount": {"name": "api-hello"}}, name="hello"), "gateway.serviceAccount.name"),
    _key("securityContext.runAsUser", 0),
    ("a privileged container", minimal(securityContext={"privileged": True}), "privileged"),
    _key("networking.httpRoute.parentRefs", [], networking={"httpRoute": {"enabled": True}}),
    _key("networking.ingress.enabled", True, gateway={"shared": True}),
    _key("gateway.sharedName", "cortex.gateway"),
    _key("gateway.apiKeys.secretName", "keys", gateway={"shared": True}),
    _key("webhooks.enabled", True, webhooks={"secretName": "keys"}, gateway={"shared": True}),
    _key("webhooks.secretName", None, webhooks={"enabled": True}),
    _key("webhooks.url", "http://receiver.example.com", webhooks={"enabled": True, "secretName": "keys"}),
    _key("webhooks.url", "https://user@receiver.example.com"),
    _key("webhooks.events", []),
    _key("webhooks.events", ["ended"]),
    _key("webhooks.allowedHosts", ["https://receiver.example.com"]),
    _key("networkPolicy.egress.webhookPorts", []),
    ("a reserved label", minimal(podLabels={"apiName": "x"}), "podLabels"),
    ("a toleration that tolerates nothing", minimal(tolerations=[{"effect": "NoSchedule"}]), "tolerations.0"),
    _key("aws.endpointUrl", "https://aws.internal", **_EMULATOR),
    _key("aws.credentialsSecret", "keys", **_EMULATOR),
    _key("queue.url", "https://sqs.internal/1/q", **_EMULATOR),
    _key("networking.ingress.enabled", True, **_EMULATOR),
    _key("networking.istio.enabled", True, **_EMULATOR),
    _key("serviceAccount.annotations", {"eks.amazonaws.com/role-arn": "x"}, **_EMULATOR),
]  # fmt: skip

REFUSALS = [*NAMES, *POD, *CONTAINERS, *SCALING, *PLATFORM]
