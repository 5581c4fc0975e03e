"""A real Chromium, driven over the WebDriver protocol (w3.org/TR/webdriver2) by plain HTTP."""

import base64
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.processes import Process, accepts, free_port, wait_until

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference to an element
_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1120,1000",
]


def missing_program() -> str | None:
    """The program that is not installed, if any."""
    return next((each for each in ("chromium", "chromedriver") if shutil.which(each) is None), None)


class Chromium:
    """One window."""

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def text(self) -> str:
        """What a reader sees; nothing while a page comes, since it may refresh itself at any time."""
        script = "return document.querySelector('main')?.innerText ?? ''"
        return str(self._call("POST", "/execute/sync", {"script": script, "args": []})).replace("\t", " ")

    def path(self) -> str:
        return str(self._call("GET", "/url"))

    def fill(self, selector: str, text: str) -> None:
        element = self._find(selector)
        self._call("POST", f"/element/{element}/clear", {})
        self._call("POST", f"/element/{element}/value", {"text": text})

    def click(self, selector: str) -> None:
        self._call("POST", f"/element/{self._find(selector)}/click", {})

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def _find(self, selector: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return _call(method, self._url + path, body)


def _call(method: str, url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.read().decode(errors='replace')[:1000]}") from error


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """Run a browser with a profile of its own until the context ends."""
    port = free_port()
    driver = Process("chromedriver", [str(shutil.which("chromedriver")), f"--port={port}"], folder)
    try:
        wait_until("chromedriver", lambda: accepts(port), driver)
        options = {
            "args": [*_OPTIONS, f"--user-data-dir={folder / 'profile'}"],
            "binary": shutil.which("chromium"),
        }
        wanted = {
            "capabilities": {
                "alwaysMatch": {
                    "browserName": "chrome",
                    "timeouts": {"implicit": 20_000},
                    "goog:chromeOptions": options,
                }
            }
        }
        session = _call("POST", f"http://127.0.0.1:{port}/session", wanted)["sessionId"]
        url = f"http://127.0.0.1:{port}/session/{session}"
        try:
            yield Chromium(url)
        finally:
            _call("DELETE", url)
    finally:
        driver.stop()
