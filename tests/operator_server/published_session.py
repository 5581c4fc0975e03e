"""Every call of the published client, in a process where `cortex` is that client; prints what came, as JSON.

Run with the folder of the unpacked client as argument, and CORTEX_CLI_PATH naming our command. PYTHONPATH
would reach our command too, whose package has the same name.
"""

import json
import sys
from typing import Any


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    import cortex  # noqa: PLC0415 (the published one)

    said: dict[str, Any] = {"version": cortex.__version__}
    client: Any = cortex.client()
    said["environments"] = cortex.env_list()
    entry = {"name": "hello", "kind": "AsyncAPI", "pod": {"containers": [{"name": "api", "image": "hello:1"}]}}
    said["deployed"] = client.deploy(entry, wait=True)
    said["again"] = client.deploy(entry, force=False)
    said["listed"] = client.list_apis()
    said["one"] = client.get_api("hello")
    client.refresh("hello")
    client.delete("hello")
    said["left"] = client.list_apis()
    try:
        client.get_api("hello")
    except cortex.exceptions.CortexBinaryException as error:
        said["unknown"] = str(error)
    cortex.new_client("second", "http://127.0.0.1:1")
    said["two"] = cortex.env_list()
    cortex.env_delete("second")
    json.dump(said, sys.stdout)


main()
