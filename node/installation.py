"""Who this installation is: a UID made once and kept beside its data."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import generate_uid

from node.durable import made_once


def device_uid(data_dir: Path) -> str:
    """The UID of this installation (Device Observer UID, PS3.16 TID 1004), made at first use."""
    return made_once(data_dir / "device_uid", lambda: str(generate_uid(prefix=None)))
