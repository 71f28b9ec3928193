"""Proxies of the operator's environment: what goes through one, and what never does.

HTTPS goes through, in a tunnel (CONNECT): the proxy learns the host and nothing else, and what answers must have a certificate
for that host, so that a name which leads the proxy to a metadata address ends in a handshake. Plain HTTP goes straight: a proxy
would read it whole, and look the name up where nobody looks at the address. AWS's own libraries go by the same variables.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from urllib.parse import urlsplit

from probes.clients.restricted import address_in
from probes.known_secrets import remember
from probes.reading import Reason, Unknown, Unseen

METADATA = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "[fd00:ec2::254]", "fd00:ec2::23")
"""Where AWS's libraries ask for credentials by plain HTTP: of this machine, never of a proxy."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def proxy_for(url: str) -> str:
    """The proxy a request goes through, as the environment writes it, with its password; empty where it goes straight.

    NO_PROXY lists names, and what ends in them; an address of this machine needs no entry.
    """
    from urllib.request import getproxies, proxy_bypass  # with HTTP and e-mail behind it, and the screen comes first

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme != "https" or not host or _is_here(host) or proxy_bypass(f"{host}:{port}" if port else host):
        return ""
    proxies = getproxies()
    found = proxies.get("https") or proxies.get("all") or ""
    return found if not found or "://" in found else f"http://{found}"


def proxy_name(proxy: str) -> str:
    """Its host and port: what may be shown of it. Raises Unseen for one that cannot be used."""
    try:
        parts = urlsplit(proxy)
        usable, name = parts.scheme in ("http", "https") and bool(parts.hostname), parts.netloc.rpartition("@")[2]
        _ = parts.port
    except ValueError:
        usable, name = False, ""
    if not usable:
        hint = "write http://host:port, or leave the host out of it by NO_PROXY; SOCKS is not spoken"
        raise Unseen(Unknown(Reason.ERROR, "the proxy that HTTPS_PROXY or ALL_PROXY names cannot be used", hint))
    return name


def through(url: str) -> str:
    """For people: ` through the proxy HOST:PORT`, or nothing."""
    proxy = proxy_for(url)
    try:
        return f" through the proxy {proxy_name(proxy)}" if proxy else ""
    except Unseen:
        return " through a proxy that cannot be used"


def prepare(environ: MutableMapping[str, str] = os.environ) -> None:
    """Before anything goes through a proxy: hide its password, and have none asked for this machine's credentials.

    botocore asks the metadata service by HTTP_PROXY where NO_PROXY does not name it.
    """
    proxies = [environ[name] for name in _PROXIES if environ.get(name)]
    for proxy in proxies:
        remember(_password(proxy))
    held = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if proxies and held.strip() != "*":
        straight = dict.fromkeys([*filter(None, map(str.strip, held.split(","))), *METADATA])
        environ["no_proxy"] = environ["NO_PROXY"] = ",".join(straight)


def _password(proxy: str) -> str:
    try:
        return urlsplit(proxy if "://" in proxy else f"http://{proxy}").password or ""
    except ValueError:
        return proxy


def _is_here(host: str) -> bool:
    address = address_in(host)
    return host == "localhost" or (address is not None and address.is_loopback)
