"""AWS for probes: one session, one client per service, real deadlines, and every failure turned into an Unknown."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from probes.clients.aws_errors import SEE_LOG, explain, subject
from probes.clients.aws_sessions import aws_session
from probes.clients.caller import Caller, CallerCheck
from probes.clients.clock_offset import ClockOffset
from probes.clients.quotas import Quotas
from probes.clients.signing_time import REFUSALS, REFUSED_FROM_S, correct_signing
from probes.clients.threads import DaemonThreads
from probes.reading import Reason, Unknown, Unseen

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
ATTEMPTS = 2
DEADLINE_S = 9.0
"""One call with its retry; probes and the engine set shorter ones as they need."""

_log = logging.getLogger(__name__)
ClientFactory = Callable[[str], Any]
T = TypeVar("T")


class AwsClient:
    """Calls AWS operations from asyncio without ever blocking it. boto3 is imported by the first call, in its thread."""

    def __init__(
        self,
        region: str = "",
        profile: str = "",
        factory: ClientFactory | None = None,
        clock_offset: ClockOffset | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.clock_offset = clock_offset or ClockOffset()
        self._quotas = quotas or Quotas()
        self._region = region
        self._profile = profile
        self._threads = DaemonThreads()
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._given = factory
        self._factory = factory or self._make
        self._session: Any = None
        self._own_caller: CallerCheck | None = None
        self._held_as: AwsClient | None = None
        self._pinned: tuple[str, str, str | None] | None = None

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """The operation's answer, as boto3 gives it. Raises Unseen and nothing else."""
        await self._quotas.wait(service, operation)
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer: dict[str, Any] = await self._threads.run(partial(self._call, service, operation, params))
        except TimeoutError:
            hint = f"check the network to {service} in {self._region or 'this region'}"
            raise Unseen(
                Unknown(Reason.TIMEOUT, f"{service} {operation} did not answer in {DEADLINE_S:g} s", hint)
            ) from None
        return answer

    async def pinned(self) -> AwsClient:
        """The same by the credentials in use now, which are never refreshed: one principal, however often it is asked.

        It works on the threads of this one. Raises Unseen without credentials.
        """
        made = AwsClient(self._region, self._profile, self._given, self.clock_offset, self._quotas)
        made._threads = self._threads
        if self._given is None:
            made._pinned = await self._threads.run(self._credentials)
        return made

    async def signed(self, service: str, region: str, method: str, url: str) -> dict[str, str]:
        """Headers that sign one request without a body, by the accepted caller's credentials alone. Raises Unseen."""
        held = await self._threads.run(self._credentials)
        if self._caller is not None:
            await self._threads.run(partial(self._caller.admit, held[0], self._identify))
        return _signature(held, service, region or self._region, method, url)

    def _credentials(self) -> tuple[str, str, str | None]:
        from botocore.exceptions import NoCredentialsError

        try:
            with self._lock:
                held = self._open().get_credentials()
            if held is None:
                raise NoCredentialsError
            frozen = held.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - whatever botocore raises, the caller gets the reason
            profile = self._profile or os.environ.get("AWS_PROFILE", "")
            raise Unseen(explain(error, "sts", "get_caller_identity", profile=profile)) from None
        return frozen.access_key, frozen.secret_key, frozen.token

    def hold(self, accepted: Caller | None, on_change: Callable[[], None]) -> CallerCheck:
        """From now on let no answer pass but those to the accepted caller; STS answers whoever asks."""
        self._own_caller = CallerCheck(accepted, on_change)
        return self._own_caller

    def hold_as(self, other: AwsClient) -> None:
        """Let no answer pass but those to the caller that the other one accepts: both have the same credentials."""
        self._held_as = other

    @property
    def _caller(self) -> CallerCheck | None:
        return self._own_caller if self._held_as is None else self._held_as._caller

    async def identify_again(self) -> None:
        """Ask STS who calls now, whatever is known of the access key. Raises Unseen."""
        if self._caller is not None:
            self._caller.identified(*await self._threads.run(self._identify))

    def _identify(self) -> tuple[str, Caller]:
        """The access key in use, and whose it is."""
        for _ in range(ATTEMPTS + 1):  # it may be refreshed while STS answers
            key = _key_of(self._client("sts"))
            answer = self._call("sts", "get_caller_identity", {})
            if _key_of(self._client("sts")) == key:
                return key, Caller(str(answer["Account"]), str(answer["Arn"]))
        raise Unseen(Unknown(Reason.ERROR, "the credentials change faster than STS answers", "look at their source"))

    def _admit(self, service: str, client: Any) -> None:
        """Raises Unseen where a call, or the answer to it, is another caller's than the accepted one's."""
        if self._caller is not None and service != "sts":
            self._caller.admit(_key_of(client), self._identify)

    async def close(self) -> None:
        """Never waits: calls under way are left to their threads."""
        self._threads.close()

    def _call(self, service: str, operation: str, params: dict[str, Any], *, put_right: bool = False) -> dict[str, Any]:
        """`put_right`: whether it is asked again because its time was off."""
        client, asked, off = None, self.clock_offset.machine.ticks(), self.clock_offset.seconds
        try:
            client = self._client(service)
            self._admit(service, client)
            answer: dict[str, Any] = getattr(client, operation)(**params)
            self._measure(service, answer, asked)
            self._admit(service, client)
        except Unseen:
            raise
        except Exception as error:  # noqa: BLE001 - whatever botocore raises, the probe gets the reason
            response = getattr(error, "response", None) or {}
            self._measure(service, response, asked)
            is_new = abs(self.clock_offset.seconds - off) > REFUSED_FROM_S
            if not put_right and is_new and response.get("Error", {}).get("Code") in REFUSALS:
                return self._call(service, operation, params, put_right=True)
            profile = self._profile or os.environ.get("AWS_PROFILE", "")
            unknown = explain(error, service, operation, profile=profile, about=subject(params, operation))
            if unknown.hint == SEE_LOG:
                _log.warning("%s %s failed", service, operation, exc_info=True)
            if unknown.reason.traits.is_of_credentials:
                self._forget(service, client)
            raise Unseen(unknown) from None
        return answer

    def _measure(self, service: str, answer: Any, asked: float) -> None:
        """Note what time it is by the answer."""
        about = answer.get("ResponseMetadata") if isinstance(answer, dict) else None
        if about and (date := about.get("HTTPHeaders", {}).get("date")):
            self.clock_offset.measure_date("AWS", service, str(date), asked)

    def _forget(self, service: str, client: Any) -> None:
        """Credentials are loaded once per session: only a new one sees that the person has logged in again."""
        with self._lock:
            if client is None or self._clients.get(service) is client:
                self._clients.clear()
                self._session = None

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._factory(service)
            return self._clients[service]

    def _open(self) -> Any:
        """The session, opened by whoever needs it first; with the lock held."""
        if self._session is None:
            logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs whole answers, secrets included
            self._session = aws_session(profile=self._profile, region=self._region, keys=self._pinned)
        return self._session

    def _make(self, service: str) -> Any:
        from botocore import __version__ as version
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=32,
            # Ours whole: botocore builds its own twice for every request.
            user_agent=f"cutover-cockpit Botocore/{version}",
        )
        return self._open().create_client(service, config=config)


def _signature(held: tuple[str, str, str | None], service: str, region: str, method: str, url: str) -> dict[str, str]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    correct_signing()
    request = AWSRequest(method=method, url=url)
    SigV4Auth(Credentials(*held), service, region).add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}


def _key_of(client: Any) -> str:
    """Access key id that a client signs with now; reading it refreshes credentials that are due. Empty without any."""
    held = client._request_signer._credentials
    return str(held.access_key) if held is not None else ""
