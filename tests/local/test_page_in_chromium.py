"""The operator's page in a real browser, before APIs that run in local mode.

PICTURES=charts/cortex-operator/pictures makes the pictures of the README anew.
"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.chromium import Chromium, chromium, missing_program
from support.processes import wait_until

from .running import Arguments, Start, Write
from .test_several import ask

pytestmark = pytest.mark.skipif(
    missing_program() is not None,
    reason=f"{missing_program()} is not installed (Debian: chromium, chromium-driver)",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    folder = tmp_path / "browser"
    folder.mkdir()
    with chromium(folder) as running:
        yield running


def picture(browser: Chromium, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        browser.picture(Path(folder, f"{name}.png"))


def test_apis_are_listed_and_a_request_is_submitted_and_followed(
    local: Start,
    example: Arguments,
    write: Write,
    browser: Chromium,
) -> None:
    hello = example("hello-world")[0]
    run = local(hello, write("reader", "container.py", "serve"), "--operator", "--port", "0")
    run.read_until("Ctrl-C")
    (page,) = re.findall(r"the operator's page: +(\S+)", run.log)
    (url,) = re.findall(r"^ready: (\S+/reader)", run.log, re.MULTILINE)
    assert ask(url, b"refuse")["status"] == "failed"
    browser.open(f"{page}/hello-world")
    browser.fill("textarea", '{"name": "world"}')
    browser.click("form[action$=submit] button")
    wait_until("the request to end", lambda: "hello, world" in browser.text())
    picture(browser, "request")
    assert "Request" in browser.text()
    request_id = browser.path().rpartition("/")[2]

    browser.open(f"{page}/hello-world")
    seen = browser.text()
    assert f"{request_id} completed" in seen
    assert re.search(r"^Completed, by the pods that run 1 ", seen, re.MULTILINE)
    picture(browser, "api")
    browser.click("a[href$=dead-letters]")
    assert "There are none." in browser.text()

    def shows_rates() -> bool:
        """A rate needs two readings apart."""
        browser.open(page)
        return browser.text().count("/s") == 4

    wait_until("the rates", shows_rates)
    picture(browser, "apis")
    rows = r"^(hello-world|reader) default 1/1 1 live \d+ \d+ \d+ s \d+\.\d\d/s \d+\.\d\d/s "
    assert re.findall(rows, browser.text(), re.MULTILINE) == ["hello-world", "reader"]
    run.process.send_signal(signal.SIGINT)
    assert run.finish().code == 0
