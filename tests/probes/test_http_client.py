"""One HTTP exchange: what it tells, what it refuses to follow or read, and that its deadline holds."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.http_server import Authority, Site, serving, site, small_site
from support.silent_wire import wire_to
from support.waiting import LAST_RESORT_S

from probes.clients.http import BODY_CAP_BYTES, HttpClient, place_of
from probes.reading import Reason, Unseen

__all__ = ["site"]


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


async def refused(http: HttpClient, url: str, *, timeout_s: float = 5.0, follow_redirects: bool = False) -> Unseen:
    with pytest.raises(Unseen) as raised:
        await http.exchange("GET", url, timeout_s=timeout_s, follow_redirects=follow_redirects)
    return raised.value


async def test_status_headers_and_text(http: HttpClient, site: Site) -> None:
    site.page("/health", 200, "all well", X_Build="42")
    answer = await http.exchange("GET", f"{site.url}/health", headers={"X-Ask": "please"})
    assert (answer.status, answer.text, answer.headers["x-build"], answer.redirects) == (200, "all well", "42", ())
    assert "X-Ask: please" in site.asked[0]
    assert 0 < answer.elapsed_s < 5


async def test_an_error_page_is_an_answer(http: HttpClient, site: Site) -> None:
    site.page("/health", 503, "no targets")
    assert (await http.exchange("GET", f"{site.url}/health")).status == 503


async def test_a_redirect_is_told_and_not_followed(http: HttpClient, site: Site) -> None:
    site.page("/", 302, Location="/login")
    answer = await http.exchange("GET", f"{site.url}/")
    assert (answer.status, answer.headers["location"], len(site.asked)) == (302, "/login", 1)


async def test_a_redirect_is_followed_when_asked(http: HttpClient, site: Site) -> None:
    site.page("/", 302, Location="/login")
    site.page("/login", 200, "who are you")
    answer = await http.exchange("GET", f"{site.url}/", follow_redirects=True)
    assert (answer.status, answer.url, answer.redirects) == (200, f"{site.url}/login", (f"{site.url}/",))


async def test_redirects_in_a_circle_are_an_error(http: HttpClient, site: Site) -> None:
    site.page("/", 302, Location="/")
    assert "circle" in (await refused(http, f"{site.url}/", follow_redirects=True)).unknown.detail


async def test_an_endless_body_is_cut(http: HttpClient, site: Site) -> None:
    site.page("/", 200, "x" * (BODY_CAP_BYTES + 5))
    answer = await http.exchange("GET", f"{site.url}/")
    assert answer.truncated
    assert len(answer.text) == BODY_CAP_BYTES


async def test_every_exchange_opens_a_new_connection_because_the_name_may_have_moved(http: HttpClient) -> None:
    opened = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    async with serving(count) as port:
        for _ in range(3):
            await http.exchange("GET", f"http://127.0.0.1:{port}/")
    assert opened == 3


# -- why not -----------------------------------------------------------------------------------------------------------


async def test_a_closed_port_is_unreachable(http: HttpClient) -> None:
    async with small_site() as gone:
        url = gone.url
    unseen = await refused(http, f"{url}/health?token=secret-word")
    assert unseen.unknown.reason is Reason.UNREACHABLE
    assert "refused" in unseen.unknown.detail
    assert "secret-word" not in repr(unseen.unknown)


async def test_a_name_that_does_not_resolve_is_unreachable(http: HttpClient) -> None:
    unseen = await refused(http, "http://no-such-host.invalid/")
    assert unseen.unknown.reason is Reason.UNREACHABLE
    assert "resolve" in unseen.unknown.detail


async def test_a_server_that_hangs_up_is_unreachable(http: HttpClient) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with serving(hang_up) as port:
        assert (await refused(http, f"http://127.0.0.1:{port}/")).unknown.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("url", ["ftp://host/x", "not an address", "http://", "http://[::1"])
async def test_an_address_that_cannot_be_used_says_so(http: HttpClient, url: str) -> None:
    assert (await refused(http, url)).unknown.reason is Reason.ERROR


@pytest.mark.parametrize(
    ("host", "days_left", "words"),
    [("127.0.0.1", -1, "certificate has expired"), ("elsewhere.example", 30, "mismatch"), ("127.0.0.1", 30, "")],
)
async def test_a_certificate_is_judged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, days_left: int, words: str
) -> None:
    authority, site, http = Authority(tmp_path), Site(), HttpClient()
    site.page("/", 200, "secure")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with serving(site.answer, authority.server(host, days_left=days_left)) as port:
        url = f"https://127.0.0.1:{port}/"
        if words:
            unseen = await refused(http, url)
            assert unseen.unknown.reason is Reason.ERROR
            assert words in unseen.unknown.detail
        else:
            assert (await http.exchange("GET", url)).text == "secure"
    await http.close()


async def test_an_authority_nobody_trusts_is_refused(tmp_path: Path) -> None:
    http = HttpClient()
    async with serving(Site().answer, Authority(tmp_path).server()) as port:
        unseen = await refused(http, f"https://127.0.0.1:{port}/")
    await http.close()
    assert "certificate not valid" in unseen.unknown.detail


async def test_plain_http_on_a_tls_address_is_a_failed_handshake(http: HttpClient) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with serving(plain) as port:
        unseen = await refused(http, f"https://127.0.0.1:{port}/")
    assert unseen.unknown.reason is Reason.ERROR
    assert "TLS" in unseen.unknown.detail


# -- deadlines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_black_hole_ends_at_the_deadline(http: HttpClient, scheme: str) -> None:
    await refused(http, "http://127.0.0.1:1/")  # the library is imported
    async with wire_to() as hole:
        unseen = await refused(http, f"{scheme}://127.0.0.1:{hole.port}/", timeout_s=0.4)
    assert unseen.unknown.reason is Reason.TIMEOUT


async def test_a_lookup_that_hangs_ends_at_the_deadline_and_delays_no_exit(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(LAST_RESORT_S))
    unseen = await refused(http, "http://app.example/health", timeout_s=0.3)
    assert not answer.is_set()
    assert unseen.unknown.reason is Reason.TIMEOUT
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    answer.set()


async def test_a_server_that_drips_bytes_ends_at_the_deadline(http: HttpClient) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(drip) as port:
        unseen = await refused(http, f"http://127.0.0.1:{port}/", timeout_s=0.4)
    assert unseen.unknown.reason is Reason.TIMEOUT


def test_what_may_be_shown_of_an_address() -> None:
    assert place_of("https://user:secret@host:8443/a/b?token=1#x") == "https://host:8443/a/b"


async def test_no_cookie_of_one_answer_goes_along_with_the_next_question(http: HttpClient, site: Site) -> None:
    site.page("/", 200, Set_Cookie="session=s3cret; Path=/")
    for _ in range(2):
        assert (await http.exchange("GET", f"{site.url}/")).headers["set-cookie"].startswith("session=")
    assert not any("cookie" in head.lower() for head in site.asked)
