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


def kept(headers: Iterable[tuple[str, str]], *, sensitive: bool) -> Headers:
    """Return the headers to store: end-to-end ones, and credentials only when `sensitive`.

    A header that `Connection` names is hop-by-hop too. A request id from outside is not believed, nor one spelt
    with underscores: CGI and WSGI fold both into one.
    """
    received = list(headers)
    named = {
        _folded(token.strip())
        for name, value in received
        if _folded(name) == "connection"
        for token in value.split(",")
    }
    dropped = _HOP_BY_HOP | _OF_THE_EXCHANGE | named | {REQUEST_ID.lower()}
    if not sensitive:
        dropped |= _SENSITIVE
    return tuple((name, value) for name, value in received if _folded(name) not in dropped)


def as_text(value: str) -> str:
    """Return a value that is no UTF-8 as what it is by the older rule, Latin-1 (RFC 9110, section 5.5).

    aiohttp gives bytes that are no UTF-8 as lone surrogates.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")
