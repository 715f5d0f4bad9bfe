"""Third-party DICOM programs that tests run: found on this machine, or the test skips (in CI: fails)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import missing

# pynetdicom installs programs of DCMTK's names beside this Python; the tests want the real ones.
_OWN_SCRIPTS = {Path(sys.executable).parent, Path(sys.prefix) / "bin"}
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")


def program(name: str, package: str) -> Path:
    """Where a program is; skips, or fails where everything was promised, without it."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_SYSTEM_FOLDERS]
    path = os.pathsep.join(folder for folder in folders if Path(folder) not in _OWN_SCRIPTS)
    found = shutil.which(name, path=path)
    if found is None:
        missing(f"{name} is not installed (Debian package {package})")
    return Path(found)


def output_of(name: str, package: str, *arguments: Path) -> str:
    """All that a program says of some files, on both streams."""
    command = [str(program(name, package)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr
