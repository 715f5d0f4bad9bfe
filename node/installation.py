"""Who this installation is: a UID made once and kept beside its data."""

from __future__ import annotations

import os
from pathlib import Path

from pydicom.uid import generate_uid


def device_uid(data_dir: Path) -> str:
    """The UID of this installation (Device Observer UID, PS3.16 TID 1004), made at first use.

    Two processes that start at once agree: the file is created exclusively, and the loser reads the winner's.
    """
    path = data_dir / "device_uid"
    data_dir.mkdir(parents=True, exist_ok=True)
    scratch = data_dir / f"device_uid.{os.getpid()}"
    if not path.exists():
        scratch.write_text(generate_uid(prefix=None))
        try:
            os.link(scratch, path)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    return path.read_text().strip()
