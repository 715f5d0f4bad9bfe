"""The audit trail: one file a month in the data folder, one audit message a line. Lines are added, never changed."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import structlog

from node.audit import Message, Participant, Role, encoded
from node.config import Config

log = structlog.get_logger()

FOLDER = "audit"
SUFFIX = ".xml"


@dataclass(frozen=True)
class Trail:
    """Where this node's audit messages go. ``folder``: None keeps none."""

    folder: Path | None
    ae_title: str

    @classmethod
    def of(cls, config: Config) -> Trail:
        folder = config.node.data_dir / FOLDER if config.audit.trail else None
        return cls(folder, config.node.ae_title)

    def us(self, role: Role, *, requestor: bool) -> Participant:
        """This node, as it took part in something."""
        return Participant(self.ae_title, socket.gethostname(), role, requestor)

    def record(self, message: Message | None) -> None:
        """Add a message, if there is one. What cannot be written is logged: care goes on."""
        if message is None or self.folder is None:
            return
        line = encoded(message, f"{self.ae_title}@{socket.gethostname()}") + "\n"
        path = self.folder / f"{message.at:%Y-%m}{SUFFIX}"
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            # One write at the end of the file: lines of several processes do not mix.
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
        except OSError as error:
            log.error("audit.not_written", file=path.name, reason=str(error))
