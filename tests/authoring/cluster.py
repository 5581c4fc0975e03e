"""As much of a Kubernetes API server as helm needs to read a release."""

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cortex_async import helm
from cortex_async.rendering import run_helm

_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: fake
clusters: [{{name: fake, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: fake, context: {{cluster: fake, user: fake}}}}]
users: [{{name: fake, user: {{}}}}]
"""


@contextmanager
def installed(release: str, values: Path, chart: Path, kubeconfig: Path, namespace: str) -> Iterator[None]:
    """Let helm find a release, as its own record of it says, in the cluster of a kubeconfig."""
    arguments: list[str | Path] = ["install", release, chart, "--values", values, "--namespace", namespace]
    record = json.loads(run_helm(helm.locate(), [*arguments, "--dry-run=client", "--output", "json"]))
    record["info"]["status"] = "deployed"
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode()))
    secret = {
        "metadata": {
            "name": f"sh.helm.release.v1.{release}.v1",
            "namespace": namespace,
            "labels": {"name": release, "owner": "helm", "status": "deployed", "version": "1"},
        },
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = self.path.startswith(f"/api/v1/namespaces/{namespace}/secrets?")
            found = [secret] if f"name%3D{release}" in self.path else []
            answer: dict[str, Any] = {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
            if listed:
                answer = {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": found}
            elif self.path != "/version":
                answer = {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        kubeconfig.write_text(_KUBECONFIG.format(port=server.server_port))
        yield
        server.shutdown()
