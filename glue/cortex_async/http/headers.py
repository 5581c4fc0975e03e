"""Which headers of a request are kept, and reach the container."""

from collections.abc import Iterable

Headers = tuple[tuple[str, str], ...]

REQUEST_ID = "X-Cortex-Request-ID"

# RFC 9110, section 7.6.1: these speak of one connection, and end with it.
_HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-connection te trailer transfer-encoding upgrade proxy-authenticate".split()
)
# These speak of the exchange with the gateway: its address, its framing, the form of its answer.
_OF_THE_EXCHANGE = frozenset(
    "host content-length expect accept-encoding range if-match if-none-match if-modified-since "
    "if-unmodified-since if-range".split()
)
_SENSITIVE = frozenset("authorization proxy-authorization cookie".split())
_DROPPED = _HOP_BY_HOP | _OF_THE_EXCHANGE | {REQUEST_ID.lower()}
_DROPPED_WITH_SENSITIVE = _DROPPED | _SENSITIVE


def kept(headers: Iterable[tuple[str, str]], *, sensitive: bool) -> Headers:
    """Return the headers to store: end-to-end ones, and credentials only when `sensitive`.

    A header that `Connection` names is hop-by-hop too. A request id from outside is not believed, nor one spelt
    with underscores: CGI and WSGI fold both into one.
    """
    received = [(_folded(name), name, value) for name, value in headers]
    dropped = _DROPPED if sensitive else _DROPPED_WITH_SENSITIVE
    for folded, _, value in received:
        if folded == "connection":
            dropped = dropped | {_folded(token.strip()) for token in value.split(",")}
    return tuple([(name, value) for folded, name, value in received if folded not in dropped])


def as_text(value: str) -> str:
    """Return a value that is no UTF-8 as what it is by the older rule, Latin-1 (RFC 9110, section 5.5).

    aiohttp gives bytes that are no UTF-8 as lone surrogates.
    """
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")
