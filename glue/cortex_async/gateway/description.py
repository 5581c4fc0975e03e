"""`GET /openapi.json`: the description of the API, as schemas/openapi.yaml has it, with the API's own path."""

import json
from pathlib import Path

from aiohttp import web


def served_description(endpoint: str | None) -> web.Response:
    """Respond with the description; read from its file each time, since that is rare.

    Without an endpoint it is that of every API: its path stays a parameter.
    """
    document = json.loads(Path(__file__).with_name("openapi.json").read_text())
    document["servers"] = [{"url": "/"}]
    if endpoint is None:
        return web.json_response(document)
    document["paths"] = {path.replace("/{api}", endpoint): item for path, item in document["paths"].items()}
    for item in document["paths"].values():
        if "parameters" in item:
            item["parameters"] = [each for each in item["parameters"] if "/api" not in each.get("$ref", "")]
    return web.json_response(document)
