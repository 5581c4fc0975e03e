import base64

import pytest

from cortex_async.aws.proxy import proxy_for


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_no_proxy_is_used_unless_the_environment_names_one() -> None:
    assert proxy_for("https://s3.us-west-2.amazonaws.com") is None


def test_proxy_is_that_of_the_endpoints_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    found = proxy_for("https://s3.us-west-2.amazonaws.com")
    assert found is not None
    assert str(found.url) == "http://proxy.example:3128"
    assert found.headers == {}
    assert proxy_for("http://s3.us-west-2.amazonaws.com") is None


def test_no_proxy_excludes_hosts_and_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.internal")
    assert proxy_for("http://127.0.0.1:5000") is None
    assert proxy_for("http://sqs.internal") is None
    found = proxy_for("http://sqs.example")
    assert found is not None
    assert str(found.url) == "http://proxy.example:3128"


def test_proxys_credentials_go_into_a_header_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://someone:p%40ss@proxy.example:3128")
    found = proxy_for("https://sqs.us-west-2.amazonaws.com")
    assert found is not None
    assert str(found.url) == "http://proxy.example:3128"
    assert found.headers == {"Proxy-Authorization": "Basic " + base64.b64encode(b"someone:p@ss").decode()}
