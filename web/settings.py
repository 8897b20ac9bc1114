"""Configuration: `KLUIS_*` from the environment or `kluis.toml`, read once, here and nowhere else.

An option of the command line beats the environment, that beats the file, that beats the default. A name that is not
a setting is an error, for a mistyped setting that is silently ignored is a door left open.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from federation.errors import BadPolicy
from federation.policy import Policy, read_policy
from keys.errors import Misuse
from keys.hsm import Address
from vault.solid.access import Language

FILE = "kluis.toml"
PREFIX = "KLUIS_"
FOREIGN = {"KLUIS_SHARED", "KLUIS_FIGURES", "KLUIS_ROUNDS"}  # for the tests and proofs; no settings of the server


class SettingsError(Exception):
    """A setting is wrong or missing; the message is one line that names it and says how to mend it."""

    code: ClassVar[str] = "settings"


class Settings(BaseSettings):
    """Every setting, checked. Paths stand as given; what was left out is derived below."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, toml_file=FILE, extra="forbid", frozen=True)

    data: Path = Field(Path("kluis-data"), description="a directory for the vault's data")
    base_url: str = Field(
        "http://localhost:8400", description="the address people and apps use, e.g. https://kluis.example"
    )
    host: str = Field("127.0.0.1", description="the interface to listen on")
    port: int = Field(8400, ge=1, le=65535, description="the port to listen on, 1 to 65535")
    shares: Path | None = Field(None, description="a directory for the share store, best on another volume")
    custodian: str | None = Field(None, description="file:PATH outside the data directory, or pkcs11:... (RFC 7512)")
    recommender_data: Path | None = Field(None, description="a directory for the recommender's own data")
    log_clock: float = Field(10.0, gt=0, le=60, description="seconds between two checkpoints, at most 60")
    largest_resource: int = Field(1024**3, ge=4096, description="the bytes of the largest body of one resource")
    pod_quota: int = Field(2 * 1024**3, ge=65536, description="the bytes that one pod may hold, sealed and padded")
    slow_body: float = Field(30.0, gt=0, le=3600, description="seconds to wait for the next bytes of a client")
    slow_headers: float = Field(10.0, gt=0, le=3600, description="seconds in which a request's headers must be there")

    access: Language = Field("wac", description="how access to pods is written: wac or acp")

    log_months: int = Field(24, ge=1, le=1200, description="whole months that people's log records stay readable")
    log_dpo_months: int = Field(24, ge=1, le=1200, description="whole months that the DPO's log records stay readable")
    log_witnesses: str | None = Field(
        None, description="a policy file (C2SP tlog-policy) with the witnesses' addresses, or its lines with ; between"
    )
    log_witnesses_near: bool = Field(
        False, description="true to let those witnesses have private addresses and plain http, else false"
    )
    log_fail_closed: bool = Field(
        False, description="true to serve no data while the alarm of the log's witnesses is up, else false"
    )

    lws: bool = Field(
        False, description="true to speak Linked Web Storage as well, as a dated draft describes it, else false"
    )
    foreign_issuers: str = Field(
        "any", description="whose agents from elsewhere may come in: any, none, or hosts of issuers with commas"
    )

    _options: frozenset[str] = PrivateAttr(frozenset())

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._options = frozenset(options)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Option, environment, file; no dotenv and no secret directories."""
        return init_settings, EnvSettingsSource(settings_cls), TomlConfigSettingsSource(settings_cls)

    @field_validator("base_url")
    @classmethod
    def _address(cls, text: str) -> str:
        return public_address(text)

    @field_validator("custodian")
    @classmethod
    def _custodian(cls, text: str | None) -> str | None:
        if text is None:
            return None
        if not text.startswith(("file:", "pkcs11:")):
            raise ValueError("is of a kind this version does not know")
        if not text.removeprefix("file:").strip("/"):
            raise ValueError("names no file")
        try:
            custodian_path(text)
        except Misuse as error:
            raise ValueError(str(error)) from None
        return text

    def source(self, name: str, written: Mapping[str, Any]) -> str:
        """Where the value of a setting came from; `written` is the content of kluis.toml."""
        if name in self._options:
            return "option"
        if PREFIX + name.upper() in os.environ:
            return "environment"
        return FILE if name in written else "default"

    @property
    def trusted_hosts(self) -> frozenset[str] | None:
        """The hosts whose issuers may be asked about their agents; None for any."""
        if self.foreign_issuers.strip() == "any":
            return None
        named = {host.strip().lower() for host in self.foreign_issuers.split(",")}
        return frozenset(named - {"", "none"})

    @property
    def witness_policy(self) -> Policy | None:
        """Which witnesses the log has; None if none are set. Raises SettingsError if the policy does not read."""
        if self.log_witnesses is None:
            return None
        try:
            policy = read_policy(_lines(self.log_witnesses))
        except (BadPolicy, OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"KLUIS_LOG_WITNESSES does not read: {error}") from None
        if lost := [witness.name for witness in policy.witnesses if not witness.url]:
            raise SettingsError(f"KLUIS_LOG_WITNESSES names no address of {lost[0]}: write witness NAME VKEY URL")
        plain = [witness.name for witness in policy.witnesses if witness.url.startswith("http:")]
        if plain and not self.log_witnesses_near:
            raise SettingsError(
                f"KLUIS_LOG_WITNESSES asks {plain[0]} by plain http: give an https address, or set "
                "KLUIS_LOG_WITNESSES_NEAR=true if it is on this machine or in this network"
            )
        return policy

    @property
    def vault_dir(self) -> Path:
        """Where the main database lies."""
        return self.data / "vault"

    @property
    def shares_dir(self) -> Path:
        """Where the share store lies."""
        return self.shares or self.data / "shares"

    @property
    def recommender_dir(self) -> Path:
        """Where the recommender keeps its keys, tokens and models."""
        return self.recommender_data or self.data / "recommender"

    @property
    def control_socket(self) -> Path:
        """The operator's socket of a running server."""
        return self.data / "control.sock"

    @property
    def custodian_uri(self) -> str:
        """The custodian's address. Raises SettingsError if it is not set or its file lies inside the data directory."""
        if self.custodian is None:
            raise SettingsError("KLUIS_CUSTODIAN is not set: name a key file outside the data directory, file:PATH")
        if custodian_path(self.custodian).resolve().is_relative_to(self.data.resolve()):
            raise SettingsError(
                f"KLUIS_CUSTODIAN={self.custodian!r} lies inside the data directory: move it out of {self.data}"
            )
        return self.custodian


def _lines(policy: str) -> str:
    """The text of a policy: of the file that is named, or as it stands in the setting."""
    inline = policy.lstrip().startswith(("witness ", "quorum "))
    return policy.replace(";", "\n") if inline else Path(policy).read_text(encoding="utf-8")


def custodian_path(uri: str) -> Path:
    """The file that a custodian's address leads to: the keys themselves, or the PIN of the token that holds them."""
    return Address(uri).pin_file if uri.startswith("pkcs11:") else Path(uri.removeprefix("file:"))


def public_address(text: str) -> str:
    """Check an address that people type: scheme, host and port only, in canonical form.

    Never an IP host (WebAuthn refuses it as RP ID); plain http only for localhost. Raises ValueError.
    """
    parts = urlsplit(text)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("is no http(s) address")
    if _is_ip(host):
        raise ValueError("has an IP address as host; passkeys and Solid clients need a name")
    if parts.scheme == "http" and host != "localhost" and not host.endswith(".localhost"):
        raise ValueError("is plain http; only localhost may be")
    usual = 443 if parts.scheme == "https" else 80
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    if text != (plain := f"{parts.scheme}://{host}{port}"):
        raise ValueError(f"must be written {plain}")
    return text


def load(**options: Any) -> Settings:
    """Read all sources; `options` are those of the command line that were given (None = not given).

    Raises SettingsError with one line that says which setting and how to mend it.
    """
    given = {name: value for name, value in options.items() if value is not None}
    _refuse_unknown(os.environ)
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(_line(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{FILE} is not TOML: {error}. Mend or remove it") from None


def environment() -> dict[str, str]:
    """The environment as a child process is to get it."""
    return dict(os.environ)


def explain(settings: Settings) -> list[tuple[str, str, str]]:
    """(name, value, source) of every setting, for `kluis check`; none of them is a secret."""
    written = _file()
    return [
        (PREFIX + name.upper(), "" if value is None else str(value), settings.source(name, written))
        for name, value in settings
    ]


def findings(settings: Settings) -> list[str]:
    """What is allowed but unwise in these settings, one line each."""
    found = []
    for name, path in (("KLUIS_SHARES", settings.shares_dir), ("KLUIS_RECOMMENDER_DATA", settings.recommender_dir)):
        if _device(path) == _device(settings.vault_dir):
            found.append(f"{name}: {path} shares a file system with the vault; who steals one has both")
    if settings.custodian is not None and _device(custodian_path(settings.custodian)) == _device(settings.vault_dir):
        found.append("KLUIS_CUSTODIAN shares a file system with the vault; a stolen disk then holds its managed keys")
    return found


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | FOREIGN
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            raise SettingsError(f"{name} is not a setting: remove it; `kluis check` lists those that exist")


def _line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        return f"{name} in {FILE} is not a setting: remove it; `kluis check` lists those that exist"
    why = first["msg"].removeprefix("Value error, ")
    given = "" if "pin-value" in str(first["input"]) else f"={first['input']!r}"  # a secret is not repeated
    return f"{PREFIX}{name.upper()}{given} {why[0].lower()}{why[1:]}: give {field.description}"


def _file() -> dict[str, Any]:
    path = Path(FILE)
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _device(path: Path) -> int:
    """The file system on which `path` stands or would be made."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    return there.stat().st_dev


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.replace(".", "").isdigit()  # 2130706433 and 127.1 are addresses too
    return True
