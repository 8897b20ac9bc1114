"""What can go wrong in the vault. Each class has one meaning and a stable code; none knows HTTP."""

from typing import ClassVar


class VaultError(Exception):
    """Base of every error of the vault."""

    code: ClassVar[str] = "vault"


class Locked(VaultError):
    """Another process holds the data directory."""

    code: ClassVar[str] = "directory_locked"


class WrongVersion(VaultError):
    """The data directory was written by another version of Kluis."""

    code: ClassVar[str] = "directory_version"


class WrongAddress(VaultError):
    """The data directory was made for another address: its access lists, WebIDs and log name that one."""

    code: ClassVar[str] = "directory_address"


class MissingKey(VaultError):
    """The custodian or a share that this directory needs is not there."""

    code: ClassVar[str] = "missing_key"


class DamagedItem(VaultError):
    """One stored item does not open or does not fit its neighbours; the message names it."""

    code: ClassVar[str] = "damaged_item"


class LogUnavailable(VaultError):
    """The log cannot be written, so nothing is served."""

    code: ClassVar[str] = "log_unavailable"


class ClockAhead(LogUnavailable):
    """The server's clock jumped ahead and nobody said yet that it is right, so no data is served."""

    code: ClassVar[str] = "clock_ahead"


class Forked(LogUnavailable):
    """Somebody else wrote in this directory: what this process would sign is no longer the log."""


class NotMinted(VaultError):
    """A permit was shown that no gate of this process made, or that was changed afterwards."""

    code: ClassVar[str] = "permit_forged"


class Conflict(VaultError):
    """A guard or precondition failed inside a unit; `reason` is a stable word."""

    code: ClassVar[str] = "conflict"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Denied(VaultError):
    """The door stayed shut; the denial is already in the log. `reason` is a stable word."""

    code: ClassVar[str] = "denied"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoCompartment(VaultError):
    """A deposit or write names a sealed compartment that its citizen never opened."""

    code: ClassVar[str] = "no_compartment"


class NotFound(VaultError):
    """Nothing is stored under this name, for somebody who is allowed to know."""

    code: ClassVar[str] = "not_found"


class TooFewUnlockers(VaultError):
    """Fewer than two ways into a pod would be left."""

    code: ClassVar[str] = "too_few_unlockers"


class Stale(VaultError):
    """A unit was made from rows that changed before its turn: nothing of it happened, make it anew."""

    code: ClassVar[str] = "stale"


class BadPacket(VaultError):
    """A deposit that its source sealed itself cannot be one that its citizen could open; nothing of it is stored."""

    code: ClassVar[str] = "bad_packet"


class BadTakeAway(VaultError):
    """A take-away file is not whole, not ours, or holds what a pod does not take; nothing of it is stored."""

    code: ClassVar[str] = "bad_take_away"


class BadLoad(VaultError):
    """What arrives of a pod from another server is not of the form that is agreed; nothing of it is stored."""

    code: ClassVar[str] = "bad_load"


class BadBackup(VaultError):
    """A backup is not whole, not ours, or cannot be made; the message says which and what to do."""

    code: ClassVar[str] = "bad_backup"


class TooOld(VaultError):
    """Something older may not take the place of what is younger: shares past their week, a log already published."""

    code: ClassVar[str] = "too_old"
