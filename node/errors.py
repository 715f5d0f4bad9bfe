"""The error tree. An error carries the decision: what the caller is to do with it, never a guess from its words."""

from __future__ import annotations


class RestageError(Exception):
    """Base of every error this node raises on purpose."""


class ConfigError(RestageError):
    """A value in config.toml cannot be used. ``key`` is its dotted path; the text names what is allowed."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class DatabaseUnusable(RestageError):
    """The database cannot be opened, is none, or has a schema that this program does not know."""


class StoreError(RestageError):
    """An object could not be kept. ``full``: the disk has no room, so the sender should try again later."""

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


class ObjectError(RestageError):
    """What arrived is not an object this node can keep. ``status`` is the C-STORE status it is answered with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ProtocolError(RestageError):
    """A peer sent what PS3.8 does not allow there. ``source`` and ``reason`` of the A-ABORT (PS3.8 Table 9-26)."""

    def __init__(self, message: str, source: int, reason: int) -> None:
        super().__init__(message)
        self.source = source
        self.reason = reason


class PeerError(RestageError):
    """A peer did not do what it was asked. ``permanent``: it would not do it the next time either.

    ``status``: its DIMSE status, where it gave one.
    """

    def __init__(self, message: str, *, permanent: bool, status: int | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.status = status


class SendError(PeerError):
    """A delivery failed. ``permanent``: the destination refused it."""


class AskError(PeerError):
    """A peer could not be asked. ``permanent``: it does not answer such questions."""


class ReportError(RestageError):
    """A report of storage commitment cannot be taken. ``status`` is what it is answered with (PS3.7 10.1.1.1.8)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class OtherPatient(RestageError):
    """The destination has the study of a result under a patient who is not the result's: a person decides."""


class JobError(RestageError):
    """A job failed. ``permanent``: the same input would fail again."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class LeaseLost(RestageError):
    """Another worker holds the job now: whatever was computed under the old token no longer counts."""


class IllegalMove(RestageError):
    """A life cycle was asked for a move that its table does not have."""


class NotFailed(RestageError):
    """A person wants to retry what has not failed."""


class NotFound(RestageError):
    """A person named a study, pair, job or delivery that this node does not know."""
