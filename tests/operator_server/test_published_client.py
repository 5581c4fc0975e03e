"""The Python client that people already have works as it is: over our command, before our operator."""

import json
import subprocess
import sys
from pathlib import Path

from support import published_client
from support.operator_process import CORTEX, RunningOperator

SESSION = Path(__file__).with_name("published_session.py")


def test_every_call_of_the_published_client_works(operator: RunningOperator) -> None:
    environment = {"CORTEX_CLI_PATH": str(CORTEX), "CORTEX_TELEMETRY_DISABLE": "true"}
    done = subprocess.run(
        [sys.executable, SESSION, published_client.folder()],
        env=operator.environment() | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["version"] == published_client.VERSION
    own = {"name": "default", "operator_endpoint": operator.url}
    assert said["environments"] == {"default_environment": "default", "environments": [own]}
    assert said["deployed"]["metadata"]["name"] == "hello"
    assert said["deployed"]["status"]["ready"] == said["deployed"]["status"]["requested"] == 1
    assert said["again"]["message"] == "hello (AsyncAPI) is up to date"
    assert [each["metadata"]["name"] for each in said["listed"]] == ["hello"]
    assert said["one"]["endpoint"] == "http://api-hello-gateway.default.svc.cluster.local/hello"
    assert said["left"] == []
    assert "hello is not deployed" in said["unknown"]
    assert [each["name"] for each in said["two"]["environments"]] == ["default", "second"]
