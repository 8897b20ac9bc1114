"""The recommender's own store: its two keys, how it is registered, and one set of tokens a pod. Files are 0600.

It belongs to the recommender's process alone. A crash between two writes leaves the old file or the new one.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keys.sign import new_es256
from recommender.errors import BadData

CLIENT_ID = "kluis-recommender"
PURPOSE = "dpv:ProvideEventRecommendations"


@dataclass(frozen=True)
class Registration:
    """How the recommender is known to its vault; purpose and controller equal what is registered there."""

    base: str
    controller: str
    purpose_version: str
    purpose_text: Mapping[str, str]
    client_id: str = CLIENT_ID
    purpose_code: str = PURPOSE

    @property
    def redirect_uri(self) -> str:
        """Where the citizen returns to; the page there only passes code, state and iss on."""
        return f"{self.base}/me/suggestions/granted"


@dataclass(frozen=True)
class Grant:
    """The tokens of one pod; `expires` in seconds since 1970, `categories` as granted, `actions` likewise."""

    access: str
    refresh: str
    expires: int
    categories: tuple[str, ...]
    actions: tuple[str, ...]
    id: str = ""


def prepare(folder: Path, registration: Registration) -> dict[str, str]:
    """Make the folder (0700) with keys and `client.json`; returns the public client JWK to register.

    Keys that are there already are kept, so that registering again changes nothing.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("client.jwk", "dpop.jwk"):
        if not (folder / name).exists():
            write_private(folder / name, new_es256())
    write_private(folder / "client.json", asdict(registration))
    return public(_read(folder / "client.jwk"))


def public(jwk: Mapping[str, str]) -> dict[str, str]:
    """The public half of a private JWK."""
    return {k: v for k, v in jwk.items() if k != "d"}


class Wallet:
    """Keys, registration and grants read from a folder that `prepare` made. One process writes it."""

    def __init__(self, folder: Path, grants: str = "grants.json") -> None:
        """Read the folder. Raises BadData naming the file that is missing or damaged."""
        self._grants_file = folder / grants
        try:
            self.registration = Registration(**_read(folder / "client.json"))
            self.client_key, self.dpop_key = _read(folder / "client.jwk"), _read(folder / "dpop.jwk")
            rows = _read(self._grants_file) if self._grants_file.exists() else {}
            self._grants = {pod: _grant(row) for pod, row in rows.items()}
        except (TypeError, KeyError, AttributeError) as error:
            raise BadData(f"{folder}: not the recommender's folder ({error})") from error

    @property
    def pods(self) -> tuple[str, ...]:
        """The pods there is a grant for, in the order of their names."""
        return tuple(sorted(self._grants))

    def grant(self, pod: str) -> Grant | None:
        """The grant of a pod, if there is one."""
        return self._grants.get(pod)

    def pod_of(self, grant: str) -> str | None:
        """The pod whose tokens are those of the grant with this id."""
        return next((pod for pod, held in self._grants.items() if held.id == grant), None)

    def keep(self, pod: str, grant: Grant) -> None:
        """Store the tokens of a pod; durable when this returns."""
        self._write(self._grants | {pod: grant})

    def forget(self, pod: str) -> None:
        """Drop the tokens of a pod; doing so twice is fine."""
        if pod in self._grants:
            self._write({p: g for p, g in self._grants.items() if p != pod})

    def _write(self, grants: dict[str, Grant]) -> None:
        write_private(self._grants_file, {pod: asdict(grant) for pod, grant in grants.items()})
        self._grants = grants


def write_private(path: Path, content: Any) -> None:
    """Write JSON to a file that only its owner can read, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _grant(row: dict[str, Any]) -> Grant:
    return Grant(**row | {"categories": tuple(row["categories"]), "actions": tuple(row["actions"])})


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"{path}: cannot be read ({error})") from error
