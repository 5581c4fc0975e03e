"""The proxy that the environment names for an endpoint (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), looked up once.

aiohttp's own `trust_env` reads the environment and ~/.netrc before every request, in two threads, which costs
as much as the rest of a call; and it refuses a request that is signed when ~/.netrc has an entry for its host.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where to connect instead; `headers` authenticate there."""

    url: URL
    headers: dict[str, str]


def proxy_for(base_url: str) -> Proxy | None:
    """Return the proxy for an endpoint; None for a direct connection."""
    parts = urlsplit(base_url)
    named = getproxies().get(parts.scheme)
    if not named or proxy_bypass(parts.hostname or ""):
        return None
    url = URL(named if "://" in named else f"http://{named}")
    headers = {}
    if url.user is not None:
        headers["Proxy-Authorization"] = aiohttp.encode_basic_auth(url.user, url.password or "")
    return Proxy(url.with_user(None), headers)
