"""JavaScript programs under Node.js, with the packages that install.sh installs beside this file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conftest import missing
from tests.programs import program

HERE = Path(__file__).parent


def run_script(script: Path, *arguments: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a script that lies in this folder or below; skips, or in CI fails, without Node.js or the packages."""
    node = program("node", "nodejs")
    if not (HERE / "node_modules").is_dir():
        missing("the JavaScript packages of tests/peers are not installed (run tests/peers/install.sh)")
    command = [str(node), str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
