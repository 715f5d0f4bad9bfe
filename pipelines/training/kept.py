"""Trained and half-trained networks on disk, so that a training run that was killed goes on where it was.

One file per job: 32 bytes of SHA-256, then a safetensors archive whose metadata is JSON. It is written whole or not at
all, and a damaged one counts as absent: nothing but time is lost with it. The folder lies beside the bundle that is
being made and goes once the bundle is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import structlog
import torch
from safetensors import SafetensorError

log = structlog.get_logger(__name__)

_DESCRIBED = "described"
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Snapshot:
    """Named tensors, and whatever else JSON can hold (not-a-number and infinity too)."""

    tensors: Mapping[str, torch.Tensor]
    described: Mapping[str, Any]


class Kept:
    """A folder of snapshots. ``every_s``: seconds of work that a kill may cost (each snapshot takes time as well)."""

    def __init__(self, folder: Path, every_s: float = 10.0) -> None:
        self.folder = folder
        self.every_s = every_s

    @classmethod
    def beside(cls, out: Path) -> Kept:
        """The folder that belongs to the bundle at ``out``: ``OUT.training``."""
        return cls(out.with_name(f"{out.name}.training"))

    def read(self, name: str, digest: str) -> Snapshot | None:
        """The snapshot of a job; None where there is none, a damaged one, or one made from something else."""
        path = self._path(name, digest)
        try:
            stored = path.read_bytes()
        except FileNotFoundError:
            return None
        body = stored[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != stored[:_DIGEST_BYTES]:
            log.warning("kept.damaged", file=path.name)
            return None
        try:
            return Snapshot(safetensors.torch.load(body), json.loads(_metadata(body)[_DESCRIBED]))
        except (SafetensorError, ValueError, KeyError) as error:
            log.warning("kept.unreadable", file=path.name, error=str(error))
            return None

    def write(self, name: str, digest: str, snapshot: Snapshot) -> None:
        """Keep a snapshot in place of the job's earlier one.

        Raises OSError where the disk is full or the folder not writable: the bundle could not be written either.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # Copies, because tensors that share memory (weights used twice) are refused.
        tensors = {key: value.detach().cpu().clone().contiguous() for key, value in snapshot.tensors.items()}
        body = safetensors.torch.save(tensors, {_DESCRIBED: json.dumps(dict(snapshot.described))})
        path = self._path(name, digest)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            draft.write_bytes(hashlib.sha256(body).digest() + body)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def remove(self) -> None:
        """Drop everything kept: the bundle was written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str, digest: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}-{digest[:16]}.kept"


def _metadata(body: bytes) -> Mapping[str, str]:
    """The metadata of a safetensors archive: a little-endian length, then a JSON header."""
    (length,) = struct.unpack("<Q", body[:8])
    found: Mapping[str, str] = json.loads(body[8 : 8 + length])["__metadata__"]
    return found


def digest_of(described: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of JSON values and of named tensors (type, shape and bytes)."""
    digest = hashlib.sha256(json.dumps(dict(described), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():  # an empty tensor may have strides that no bytes can be seen through
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
