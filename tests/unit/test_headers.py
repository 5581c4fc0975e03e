"""Which headers reach the container."""

from cortex_async.http.headers import kept


def names(*headers: tuple[str, str], sensitive: bool = False) -> list[str]:
    return [name for name, _ in kept(headers, sensitive=sensitive)]


def test_end_to_end_headers_are_kept_in_order_with_their_repeats() -> None:
    headers = (("Content-Type", "a/b"), ("X-One", "1"), ("x-one", "2"), ("Content-Encoding", "gzip"))
    assert kept(headers, sensitive=False) == headers


def test_headers_of_the_connection_are_dropped() -> None:
    assert names(("Connection", "close, X-Named"), ("x-named", "1"), ("TE", "trailers"), ("X-Kept", "1")) == [
        "X-Kept"
    ]
    assert names(("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("Keep-Alive", "5")) == []


def test_headers_of_the_exchange_with_the_gateway_are_dropped() -> None:
    assert (
        names(("Host", "a"), ("Content-Length", "3"), ("Expect", "100-continue"), ("Accept-Encoding", "gzip"))
        == []
    )


def test_credentials_are_dropped_unless_asked_for() -> None:
    secrets = (("Authorization", "Bearer x"), ("Cookie", "a=b"), ("Proxy-Authorization", "y"))
    assert names(*secrets) == []
    assert names(*secrets, sensitive=True) == ["Authorization", "Cookie", "Proxy-Authorization"]


def test_request_id_from_outside_is_not_believed() -> None:
    assert names(("x-cortex-request-id", "mine")) == []


def test_underscores_hide_no_header_that_is_dropped() -> None:
    """CGI and WSGI know no difference between `X_A` and `X-A`."""
    assert names(("X_Cortex_Request_ID", "mine"), ("Content_Length", "3"), ("Proxy_Authorization", "y")) == []
    assert names(("Connection", "X-Named"), ("X_Named", "1"), ("X_Kept", "1")) == ["X_Kept"]
