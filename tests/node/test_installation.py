"""The UID of this installation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pydicom.uid import UID

from node.installation import device_uid


def test_it_is_a_uid_and_stays_the_same(tmp_path: Path) -> None:
    first = device_uid(tmp_path / "data")
    assert UID(first).is_valid
    assert device_uid(tmp_path / "data") == first


def test_another_data_folder_is_another_installation(tmp_path: Path) -> None:
    assert device_uid(tmp_path / "one") != device_uid(tmp_path / "other")


def test_processes_that_start_at_once_agree_and_leave_nothing_behind(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from node.installation import device_uid\n"
    command = [sys.executable, "-c", code + "print(device_uid(Path(sys.argv[1])))", str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    said = {process.communicate(timeout=60)[0] for process in started}
    assert said == {device_uid(tmp_path).encode() + b"\n"}
    assert [path.name for path in tmp_path.iterdir()] == ["device_uid"]
