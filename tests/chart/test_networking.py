"""Each way to the gateway, by its switch."""

from chart.helm_cli import Helm, minimal
from chart.objects import container, find, gateway_pod, kinds

PROVIDERS = {"VirtualService", "HTTPRoute", "Ingress"}


def test_no_provider_is_on_by_default(helm: Helm) -> None:
    assert not PROVIDERS & kinds(helm.template(minimal()))


def test_the_service_leads_to_the_gateways_port(helm: Helm) -> None:
    objects = helm.template(minimal())
    (spec,) = [
        each["spec"]
        for each in objects
        if each["kind"] == "Service" and each["metadata"]["name"].endswith("-gateway")
    ]
    (port,) = spec["ports"]
    assert (port["port"], port["targetPort"], spec["type"]) == (80, "http", "ClusterIP")
    assert container(gateway_pod(objects), "gateway")["ports"][0] == {"name": "http", "containerPort": 8888}


def test_istio_routes_the_endpoint_and_what_is_below_it_and_nothing_that_begins_alike(helm: Helm) -> None:
    objects = helm.template(minimal(networking={"endpoint": "text", "istio": {"enabled": True}}))
    assert kinds(objects) & PROVIDERS == {"VirtualService"}
    spec = find(objects, "VirtualService")["spec"]
    assert (spec["gateways"], spec["hosts"]) == (["apis-gateway"], ["*"])
    (route,) = spec["http"]
    assert route["match"] == [{"uri": {"exact": "/text"}}, {"uri": {"prefix": "/text/"}}]
    assert route["route"] == [{"destination": {"host": "api-hello-gateway", "port": {"number": 80}}}]
    assert "rewrite" not in route


def test_an_http_route_has_its_parents_and_host_names(helm: Helm) -> None:
    parent = {"name": "public", "namespace": "gateways"}
    route = {"enabled": True, "parentRefs": [parent], "hostnames": ["api.example.com"]}
    objects = helm.template(minimal(networking={"httpRoute": route}, gateway={"service": {"port": 8080}}))
    assert kinds(objects) & PROVIDERS == {"HTTPRoute"}
    spec = find(objects, "HTTPRoute")["spec"]
    assert (spec["parentRefs"], spec["hostnames"]) == ([parent], ["api.example.com"])
    assert spec["rules"] == [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/hello"}}],
            "backendRefs": [{"name": "api-hello-gateway", "port": 8080}],
        }
    ]


def test_an_ingress_serves_each_host_or_every_one(helm: Helm) -> None:
    def hosts(*names: str) -> list[str | None]:
        values = minimal(networking={"ingress": {"enabled": True, "hosts": list(names)}})
        rules = find(helm.template(values), "Ingress")["spec"]["rules"]
        for rule in rules:
            (path,) = rule["http"]["paths"]
            assert (path["path"], path["pathType"]) == ("/hello", "Prefix")
            assert path["backend"]["service"] == {"name": "api-hello-gateway", "port": {"name": "http"}}
        return [rule.get("host") for rule in rules]

    assert hosts() == [None]
    assert hosts("a.example.com", "b.example.com") == ["a.example.com", "b.example.com"]


def test_tolerations_for_accelerators_are_only_on_pods_that_have_them(helm: Helm) -> None:
    def tolerated(**compute: int) -> list[str]:
        containers = [{"name": "api", "image": "x", "compute": compute}, {"name": "other", "image": "x"}]
        objects = helm.template(
            minimal(pod={"containers": containers}, tolerations=[{"key": "own", "value": "1"}])
        )
        pod = find(objects, "Deployment", "api-hello")["spec"]["template"]["spec"]
        assert "tolerations" not in gateway_pod(objects)
        return [each["key"] for each in pod["tolerations"]]

    assert tolerated() == ["own"]
    assert tolerated(gpu=1) == ["own", "nvidia.com/gpu"]
    assert tolerated(inf=1) == ["own", "aws.amazon.com/neuron"]
