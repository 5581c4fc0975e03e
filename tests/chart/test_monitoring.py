"""Alerts and dashboard: promtool takes them, they fire when they should, and each is explained."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm_cli import CHART, Helm, Object, minimal
from chart.kubernetes import validate
from chart.objects import find, kinds

MONITORING = {
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "rules": {"enabled": True, "queueWaitSeconds": 60, "failurePercentage": 5},
    "dashboard": {"enabled": True},
}
API = 'api_name="hello",api_kind="AsyncAPI",namespace="default"'
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool (Debian's package prometheus)")


@pytest.fixture
def objects(helm4: Helm) -> list[Object]:
    values = minimal(monitoring=MONITORING, autoscaling={"max_replicas": 9, "engine": "keda"})
    return helm4.template(values)


def rules(objects: Sequence[Object]) -> list[dict[str, Any]]:
    (group,) = find(objects, "PrometheusRule")["spec"]["groups"]
    return list(group["rules"])


def dashboard(objects: Sequence[Object]) -> dict[str, Any]:
    (text,) = find(objects, "ConfigMap", "api-hello-dashboard")["data"].values()
    document: dict[str, Any] = json.loads(text)
    return document


def queries(objects: Sequence[Object]) -> list[str]:
    panels = dashboard(objects)["panels"]
    return [target["expr"].replace("$__rate_interval", "2m") for panel in panels for target in panel["targets"]]


def promtool(folder: Path, command: Sequence[str], **files: Any) -> None:
    assert PROMTOOL
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    done = subprocess.run([PROMTOOL, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_the_prometheus_operator_comes_unasked(helm: Helm) -> None:
    assert not kinds(helm.template(minimal())) & {"PodMonitor", "PrometheusRule"}


def test_objects_are_valid_and_bear_the_labels_they_are_chosen_by(objects: list[Object]) -> None:
    validate(objects)
    assert find(objects, "PodMonitor")["metadata"]["labels"]["release"] == "prometheus"
    assert find(objects, "ConfigMap", "api-hello-dashboard")["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_pod_monitor_finds_the_admin_ports_of_both_kinds_of_pods(objects: list[Object]) -> None:
    spec = find(objects, "PodMonitor")["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    for name, container in (("api-hello", "dispatcher"), ("api-hello-gateway", "gateway")):
        template = find(objects, "Deployment", name)["spec"]["template"]
        assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        ports = [
            port["name"]
            for each in template["spec"]["containers"]
            if each["name"] == container
            for port in each["ports"]
        ]
        assert endpoint["port"] in ports


def test_scrape_annotations_name_the_admin_ports(helm: Helm) -> None:
    found = helm.template(minimal(monitoring={"scrapeAnnotations": True}))
    for name, port in (("api-hello", "15000"), ("api-hello-gateway", "15001")):
        annotations = find(found, "Deployment", name)["spec"]["template"]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == port
        assert annotations["prometheus.io/path"] == "/metrics"


def test_every_alert_has_a_paragraph_in_the_runbook_and_no_paragraph_is_left_over(objects: list[Object]) -> None:
    headings = re.findall(r"^## (\w+)$", (CHART / "RUNBOOK.md").read_text(), re.M)
    assert sorted(headings) == sorted(each["alert"] for each in rules(objects))


@needs_promtool
def test_promtool_takes_the_rules_and_every_query_of_the_dashboard(objects: list[Object], tmp_path: Path) -> None:
    recorded = [{"record": f"panel:{index}", "expr": query} for index, query in enumerate(queries(objects))]
    asked = {"groups": [{"name": "dashboard", "rules": recorded}]}
    made = find(objects, "PrometheusRule")["spec"]
    promtool(tmp_path, ["check", "rules", "rules.yaml", "asked.yaml"], rules=made, asked=asked)


FIRING: dict[str, tuple[dict[str, str], str]] = {
    # series a minute apart, and when to look
    "CortexAsyncQueueWait": (
        {
            f'cortex_async_queue_wait_seconds_bucket{{{API},le="60"}}': "0x30",
            f'cortex_async_queue_wait_seconds_bucket{{{API},le="120"}}': "0+10x30",
            f'cortex_async_queue_wait_seconds_bucket{{{API},le="+Inf"}}': "0+10x30",
        },
        "20m",
    ),
    "CortexAsyncFailures": (
        {
            f'cortex_async_results_total{{{API},status="failed",code="server_error"}}': "0+1x30",
            f'cortex_async_results_total{{{API},status="completed",code=""}}': "0+9x30",
        },
        "20m",
    ),
    "CortexAsyncDeadLetters": ({f"cortex_async_dead_letters_total{{{API}}}": "0x5 1x10"}, "10m"),
    "CortexAsyncNotReady": (
        {f"cortex_async_in_flight{{{API}}}": "3x30", f'cortex_async_ready{{{API},pod="a"}}': "0x30"},
        "20m",
    ),
    "CortexAsyncAwsErrors": (
        {
            f'cortex_async_aws_calls_total{{{API},operation="PutObject",result="refused"}}': "0+1x30",
            f'cortex_async_aws_calls_total{{{API},operation="PutObject",result="ok"}}': "0+9x30",
        },
        "20m",
    ),
    "CortexAsyncNoMeasure": ({f"cortex_async_submitted_total{{{API}}}": "5x30"}, "20m"),
    "CortexAsyncAtMaxReplicas": (
        {'kube_deployment_spec_replicas{namespace="default",deployment="api-hello"}': "9x30"},
        "20m",
    ),
}
POD = 'namespace="default",pod="api-hello-7d4b9c6f5-b7k2p",container="web"'
OTHERS_POD = 'namespace="default",pod="api-hello-two-7d4b9c6f5-b7k2p",container="web"'
FIRING["CortexAsyncMemory"] = (
    {
        f"container_memory_working_set_bytes{{{POD}}}": "101x30",
        f'kube_pod_container_resource_requests{{{POD},resource="memory"}}': "100x30",
    },
    "20m",
)
STUCK = {f"cortex_async_backlog_seconds{{{API}}}": "0+60x30"}
WELL = {
    f'cortex_async_queue_wait_seconds_bucket{{{API},le="1"}}': "0+10x30",
    f'cortex_async_queue_wait_seconds_bucket{{{API},le="+Inf"}}': "0+10x30",
    f"cortex_async_backlog_seconds{{{API}}}": "0+60x30",  # something always waits, but not for long
    f"cortex_async_attempts_total{{{API}}}": "0+10x30",
    f'cortex_async_results_total{{{API},status="completed",code=""}}': "0+99x30",
    f'cortex_async_results_total{{{API},status="failed",code="rejected"}}': "0+1x30",
    f"cortex_async_dead_letters_total{{{API}}}": "0x30",
    f"cortex_async_in_flight{{{API}}}": "3x30",
    f"cortex_async_in_flight_average{{{API}}}": "3x30",
    f'cortex_async_ready{{{API},pod="a"}}': "1x30",
    f'cortex_async_ready{{{API},pod="b"}}': "0x30",
    f'cortex_async_aws_calls_total{{{API},operation="PutObject",result="ok"}}': "0+99x30",
    f'cortex_async_aws_calls_total{{{API},operation="PutObject",result="unavailable"}}': "0+1x30",
    'kube_deployment_spec_replicas{namespace="default",deployment="api-hello"}': "8x30",
    f"container_memory_working_set_bytes{{{POD}}}": "99x30",
    f'kube_pod_container_resource_requests{{{POD},resource="memory"}}': "100x30",
    f"container_memory_working_set_bytes{{{OTHERS_POD}}}": "999x30",  # of an API called hello-two
    f'kube_pod_container_resource_requests{{{OTHERS_POD},resource="memory"}}': "1x30",
}
LABELS = {"CortexAsyncAwsErrors": {"operation": "PutObject"}, "CortexAsyncMemory": {"container": "web"}}


def rule_test(series: Mapping[str, str], alert: dict[str, Any], at: str, *, fires: bool) -> dict[str, Any]:
    expected = [{"exp_labels": alert["labels"], "exp_annotations": alert["annotations"]}] if fires else []
    for each in expected:
        for label, value in LABELS.get(alert["alert"], {}).items():
            each["exp_labels"] = alert["labels"] | {label: value}
            texts = alert["annotations"]
            each["exp_annotations"] = {
                key: text.replace(f"{{{{ $labels.{label} }}}}", value) for key, text in texts.items()
            }
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert["alert"], "exp_alerts": expected}],
    }


@needs_promtool
def test_each_alert_fires_when_it_should_and_none_does_when_all_is_well(
    objects: list[Object], tmp_path: Path
) -> None:
    found = {each["alert"]: each for each in rules(objects)}
    assert found.keys() == FIRING.keys()
    tests = [rule_test(series, found[name], at, fires=True) for name, (series, at) in FIRING.items()]
    tests.append(rule_test(STUCK, found["CortexAsyncQueueWait"], "20m", fires=True))
    tests += [rule_test(WELL, alert, "25m", fires=False) for alert in found.values()]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    made = find(objects, "PrometheusRule")["spec"]
    promtool(tmp_path, ["test", "rules", "test.yaml"], rules=made, test=document)


def test_the_dashboard_is_of_this_api_alone(objects: list[Object]) -> None:
    assert dashboard(objects)["title"] == "AsyncAPI hello"
    for query in queries(objects):
        assert 'api_name="hello"' in query or "api-hello" in query, query
        assert 'namespace="default"' in query, query
