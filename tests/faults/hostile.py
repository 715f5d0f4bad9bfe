"""PDU streams that no honest peer sends, and what a node holds open while it meets them."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.uid import MRImageStorage
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from tests import raw_peer
from tests.running_node import NODE_TITLE, SENDER_TITLE

CONTEXT_ID = 1


def associate_rq(calling: str = SENDER_TITLE) -> bytes:
    """A correct A-ASSOCIATE-RQ for MR images."""
    return raw_peer.associate_rq([MRImageStorage], calling, called=NODE_TITLE)


def store_rq(sop_instance_uid: str, content: bytes) -> bytes:
    """The P-DATA-TF PDUs of a C-STORE with any bytes as its data set."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MRImageStorage, sop_instance_uid
    request.DataSet = BytesIO(content)
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    pdus = []
    for primitive in message.encode_msg(CONTEXT_ID, 16384):
        pdu = P_DATA_TF()
        pdu.from_primitive(primitive)
        pdus.append(bytes(pdu.encode()))
    return b"".join(pdus)


def mutated(stream: bytes, chance: random.Random) -> bytes:
    """A stream with bytes changed, cut, repeated, or with another length in a PDU header."""
    content = bytearray(stream)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(content))
        match chance.randrange(6):
            case 0:
                content[place] = chance.randrange(256)
            case 1:
                content[place] ^= 1 << chance.randrange(8)
            case 2:
                del content[place : place + chance.randrange(1, 64)]
            case 3:
                content[place:place] = content[place : place + chance.randrange(1, 64)]
            case 4:
                content[2:6] = struct.pack(">I", chance.randrange(2**32))
            case _:
                content[place:place] = chance.randbytes(chance.randrange(1, 32))
        if not content:
            return chance.randbytes(16)
    return bytes(content)


def say(port: int, *streams: bytes, seconds: float = 0.02) -> list[bytes]:
    """Send some streams, listening for a moment after each, and hang up; what was answered to each, as far as it came
    to that."""
    answers = []
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(seconds)
        try:
            for stream in streams:
                connection.sendall(stream)
                answers.append(connection.recv(65536))
        except OSError:
            pass
    return answers


@dataclass(frozen=True)
class Holding:
    """What a process holds: threads, open files and sockets, resident memory in MB (Linux)."""

    threads: int
    files: int
    memory_mb: float

    @property
    def open(self) -> tuple[int, int]:
        """Threads and files."""
        return self.threads, self.files

    @classmethod
    def of(cls, pid: int) -> Holding:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        memory = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
        return cls(_count(pid, "task"), _count(pid, "fd"), memory)


def _count(pid: int, what: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/{what}").iterdir())


def files_outside(folder: Path, allowed: Sequence[str]) -> list[Path]:
    """Whatever lies in a folder beside what may."""
    return sorted(path for path in folder.iterdir() if path.name not in allowed)
