"""Where webhooks may go: which URLs a client may name, and which addresses are connected to.

What a name resolves to is looked at when the socket is made, so that no answer of DNS can change in between.
"""

import errno
import ipaddress
import re
import socket
from typing import Any

from aiohttp import web
from yarl import URL

from cortex_async import limits
from cortex_async.config import DeliveryConfig
from cortex_async.gateway.errors import Rejected

HEADER = "X-Callback-Url"

_PLAIN = re.compile(r"[!$-;=?-\[\]_a-z~]+")  # RFC 3986, section 2, without the fragment's #
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address is in its last 32 bits
_GLOBAL = ipaddress.ip_network("2000::/3")  # RFC 4291: all that is routed; Python calls more global
_AWS_OF_THE_NODE = ipaddress.ip_network("fd00:ec2::/32")  # where EC2 tells keys by IPv6


class AddressRefused(OSError):
    """The receiver's address is not one that webhooks may go to."""


def parsed(text: str) -> URL:
    """Return a URL as it is validated and called; raises ValueError for one that is not to be called."""
    url = URL(text, encoded=True)
    is_plain = len(text) <= limits.CALLBACK_CHARACTERS and _PLAIN.fullmatch(text)
    if not is_plain or url.user is not None or url.password is not None:
        raise ValueError
    return url


class Receivers:
    """Holds URLs and addresses to what the values allow; None: no webhooks are sent at all."""

    def __init__(self, config: DeliveryConfig | None) -> None:
        self._config = config
        self._hosts = frozenset(map(str.lower, config.allowed_hosts)) if config else frozenset()

    def asked(self, request: web.Request) -> str | None:
        """Return the URL that a submission names for its webhooks, if any; raises Rejected (400)."""
        text = request.headers.get(HEADER)
        if text is None:
            return None
        problem = self.problem(text) if self._config else "this API sends no webhooks (webhooks.enabled)"
        if problem:
            raise Rejected(400, "invalid_callback", f"{HEADER}: {problem}")
        return text

    def problem(self, text: str) -> str:
        """Return what is wrong with a URL; "" when it may be used."""
        assert self._config is not None
        if text == self._config.url:  # not a client's
            return ""
        schemes = ("https", "http") if self._config.allow_private_addresses else ("https",)
        try:
            url = parsed(text)
            host = (url.raw_host or "").lower().rstrip(".")  # url.host is decoded from Punycode
            is_whole = bool(host) and url.scheme in schemes and url.port is not None
        except ValueError:
            is_whole = False
        if not is_whole:
            names = " or ".join(schemes)
            return (
                f"expected an absolute URL of {names} with at most {limits.CALLBACK_CHARACTERS} characters, "
                "percent-encoded where they must be, without user, password or fragment"
            )
        if self._hosts and not self._is_allowed(host):
            return "the host is none of webhooks.allowedHosts"
        try:
            address = ipaddress.ip_address(host)
        except ValueError:  # a name: what it resolves to is looked at when it is connected to
            return ""
        return "" if self._may_reach(address) else "private and special addresses are refused"

    def socket_for(self, found: Any) -> socket.socket:
        """Return the socket for a connection to an address as getaddrinfo tells it; raises AddressRefused."""
        family, kind, protocol, _, (host, *_) = found
        if not self._may_reach(ipaddress.ip_address(host)):
            raise AddressRefused(errno.EACCES, f"{host} is a private or special address")
        return socket.socket(family, kind, protocol)

    def _is_allowed(self, host: str) -> bool:
        parents = host.split(".")[1:]
        above = {"*." + ".".join(parents[index:]) for index in range(len(parents))}
        return host in self._hosts or bool(above & self._hosts)

    def _may_reach(self, address: _Address) -> bool:
        assert self._config is not None
        each = _embedded(address)
        if each.is_multicast or each.is_link_local or each.is_unspecified or each in _AWS_OF_THE_NODE:
            return False
        if self._config.allow_private_addresses:
            return True
        return each.is_global and (each.version == 4 or each in _GLOBAL)


def _embedded(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
