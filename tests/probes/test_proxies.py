"""A proxy of the environment carries tunnels to named hosts and reads nothing; plain HTTP goes past it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.utils import get_environ_proxies
from support.connections import connections
from support.http_server import Authority, Site, serving, site

from probes.clients import proxies
from probes.clients.aws import AwsClient
from probes.clients.clients import AwsOptions, Clients
from probes.clients.http import HttpClient
from probes.demand import Asked, SendsKey
from probes.known_secrets import hide
from probes.reading import Reason, Unseen
from probes.web.llm import LlmModelsParams
from probes.web.tls import TlsCertificate, TlsCertificateParams

__all__ = ["site"]

HOST = "app.example.org"
PASSWORD = "Zeder-4711-Tanne"
KEY = "key-of-the-plan-4711"


@dataclass
class Proxy:
    """A forward proxy that leads every tunnel to one port of this machine, and all it has heard."""

    leads_to: int = 0
    refuses: bytes = b""
    heads: list[str] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self.refuses or not self.heads[-1].startswith("CONNECT "):
                writer.write(self.refuses or b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nproxy!")
                await writer.drain()
            else:
                there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                try:
                    await asyncio.gather(self._pipe(reader, back, heard=True), self._pipe(there, writer))
                finally:
                    back.transport.abort()
        writer.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, heard: bool = False) -> None:
        while data := await reader.read(1 << 16):
            if heard:
                self.heard += data
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    made = Proxy()
    async with serving(made.serve) as port:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "inside.example.org")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://me:{PASSWORD}@127.0.0.1:{port}")
        yield made


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


@asynccontextmanager
async def behind(
    proxy: Proxy, site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, of: str = HOST
) -> AsyncIterator[None]:
    """The site, by TLS with a certificate for `of`, where the proxy leads."""
    authority = Authority(folder)
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(authority.file))
    async with serving(site.answer, authority.server(of)) as port:
        proxy.leads_to = port
        yield


async def test_https_goes_through_it_and_it_hears_a_host_and_no_more(
    proxy: Proxy, http: HttpClient, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/health", 200, "here")
    async with behind(proxy, site, tmp_path, monkeypatch):
        answer = await http.exchange("GET", f"https://{HOST}/health?t=1", headers={"Authorization": KEY})
    assert answer.text == "here"
    assert KEY in site.asked[0]
    assert [head.split("\r\n")[0] for head in proxy.heads] == [f"CONNECT {HOST}:443 HTTP/1.1"]
    assert KEY.encode() not in proxy.heard
    assert b"health" not in proxy.heard


async def test_where_it_leads_the_name_elsewhere_there_is_no_answer(
    proxy: Proxy, http: HttpClient, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it looks up, a metadata address included, has no certificate for the name."""
    async with behind(proxy, site, tmp_path, monkeypatch, of="another.example.org"):
        with pytest.raises(Unseen) as raised:
            await http.exchange("GET", f"https://{HOST}/", headers={"Authorization": KEY})
    assert "certificate not valid" in raised.value.unknown.detail
    assert "through the proxy 127.0.0.1:" in raised.value.unknown.detail
    assert site.asked == []


async def test_plain_http_never_goes_through_it(proxy: Proxy, http: HttpClient, site: Site) -> None:
    """It would read the key, and look a name up that leads to a metadata address."""
    site.page("/", 200, "here")
    assert (await http.exchange("GET", site.url, headers={"Authorization": KEY})).text == "here"
    with connections() as made, pytest.raises(Unseen) as raised:
        await http.exchange("GET", "http://169.254.169.254/latest/meta-data/")
    assert (raised.value.unknown.reason, made, proxy.heads) == (Reason.NOT_TRUSTED, [], [])


async def test_nor_do_an_address_that_is_refused_and_what_no_proxy_names(proxy: Proxy, http: HttpClient) -> None:
    with pytest.raises(Unseen) as raised:
        await http.exchange("GET", "https://[fd00:ec2::254]/")
    assert raised.value.unknown.reason is Reason.NOT_TRUSTED
    straight = (
        "https://inside.example.org/",
        "https://a.inside.example.org:8443/",
        "https://127.0.0.1/",
        "https://[::1]/",
    )
    assert [proxies.proxy_for(url) for url in straight] == [""] * 4
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required"),
        (b"HTTP/1.1 403 \x1b[2Jno\r\n\r\n", "\\u{1b}"),
    ],
)
async def test_one_that_refuses_is_named_without_its_password(
    proxy: Proxy, http: HttpClient, answer: bytes, words: str
) -> None:
    proxy.refuses = answer
    with pytest.raises(Unseen) as raised:
        await http.exchange("GET", f"https://{HOST}/")
    why = raised.value.unknown
    assert why.reason is Reason.UNREACHABLE
    assert "through the proxy 127.0.0.1:" in why.detail
    assert "NO_PROXY" in why.hint or words == "\\u{1b}"
    assert PASSWORD not in str(why)
    assert hide(f"password {PASSWORD}") != f"password {PASSWORD}"


@pytest.mark.parametrize("written", ["socks5://127.0.0.1:1080", "http://", "http://[::1", "http://h:port"])
async def test_one_that_cannot_be_used_is_an_answer(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("https_proxy", written)
    with pytest.raises(Unseen) as raised:
        await http.exchange("GET", f"https://{HOST}/")
    assert "HTTPS_PROXY" in raised.value.unknown.detail


async def test_aws_is_asked_through_it(
    proxy: Proxy, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>a</Arn>'
        "<Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    site.page("/", 200, answer, Content_Type="text/xml")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{HOST}")
    async with behind(proxy, site, tmp_path, monkeypatch):
        client = AwsClient("us-east-1")
        assert (await client.call("sts", "get_caller_identity"))["Account"] == "1"
        await client.close()
    assert proxy.heads[0].startswith(f"CONNECT {HOST}:443 ")
    assert b"Action=" not in proxy.heard
    # botocore asks for an instance's credentials by HTTP_PROXY, unless NO_PROXY names the place.
    assert [get_environ_proxies(f"http://{host}/") for host in ("169.254.169.254", "169.254.170.2")] == [{}, {}]
    assert get_environ_proxies("https://inside.example.org/") == {}


async def test_a_handshake_goes_straight(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the certificate that this host shows here, not the one that a proxy puts in its place."""
    async with serving(Site().answer, Authority(tmp_path).server(HOST)) as port:
        given = {"host": HOST, "port": port, "addresses": ["127.0.0.1"], "ca": str(tmp_path / "authority.pem")}
        clients = Clients(AwsOptions())
        reading = await TlsCertificate(TlsCertificateParams.model_validate(given), clients).read(datetime.now(UTC))
        await clients.close()
    assert reading.values["verified"] is True
    assert proxy.heads == []


def test_trust_names_the_proxy_that_carries_a_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another proxy is asked again: its owner may hold an authority that this machine trusts."""
    params = LlmModelsParams.model_validate({"env": "KEY"})
    rule = SendsKey("url")
    monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@proxy.example.org:3128")
    (demand,) = rule.demands(Asked(params, (), tmp_path))
    assert str(demand).endswith(" through the proxy proxy.example.org:3128")
    host = urlsplit(str(params.url)).hostname
    monkeypatch.setenv("no_proxy", str(host))
    (demand,) = rule.demands(Asked(params, (), tmp_path))
    assert "proxy" not in str(demand)
