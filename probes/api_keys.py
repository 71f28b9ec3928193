"""Keys a probe must present: from an environment variable or Secrets Manager, used and never shown."""

from __future__ import annotations

import json
import os
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from probes.clients.clients import Clients
from probes.known_secrets import remember, remember_json
from probes.probe import Params
from probes.reading import Reason, Unknown, Unseen

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")]
"""The name of an environment variable; its value is read when the probe reads."""


class KeyParams(Params):
    """Give one of `env` and `secret`."""

    env: Variable | None = None
    """The environment variable that holds it."""
    secret: str = ""
    """The secret in Secrets Manager that holds it."""
    json_key: str = ""
    """Where the secret is JSON: the key in it."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.env) == bool(self.secret):
            raise ValueError("give one of env and secret: where the key is kept")
        if self.json_key and not self.secret:
            raise ValueError("json_key goes with secret")
        return self


async def key_from(clients: Clients, place: KeyParams) -> str:
    """The key. Raises Unseen: NOT_FOUND where there is none, ERROR where it cannot be one."""
    if place.secret:
        return _usable(await _in_secret(clients, place), f"secret {place.secret}")
    return from_environment(place.env or "")


def from_environment(name: str) -> str:
    """What an environment variable holds. Raises Unseen when it holds nothing."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"the environment variable {name} is not set", f"export {name}"))
    return _usable(value, name)


def source_of(place: KeyParams) -> str:
    """Where the key is kept, as evidence may say it."""
    return f"secret {place.secret}" if place.secret else f"${place.env}"


async def _in_secret(clients: Clients, place: KeyParams) -> str:
    answer = await clients.aws("secretsmanager", "get_secret_value", SecretId=place.secret)
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise Unseen(Unknown(Reason.NO_DATA, f"{place.secret} holds no text", "store it as SecretString"))
    remember_json(text)
    if not place.json_key:
        return text
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        held = None
    value = held.get(place.json_key) if isinstance(held, dict) else None
    if not isinstance(value, str):
        detail = f"{place.secret} has no key {place.json_key}"
        raise Unseen(Unknown(Reason.NOT_FOUND, detail, "check json_key, and the secret's JSON")) from None
    return value


def _usable(value: str, where: str) -> str:
    """Without the line end of a paste. What no header can carry would be quoted by the library in its error."""
    value = value.strip()
    remember(value)
    if not value:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"{where} is empty", "put the key there"))
    if not value.isascii() or not value.isprintable() or " " in value:
        raise Unseen(Unknown(Reason.ERROR, f"{where} holds something else than a key", "look for a broken paste"))
    return value
