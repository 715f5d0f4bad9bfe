"""The verb `calibrate`: what it hands on, and what it says where nothing can be calibrated."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.__main__ import app
from pipelines.bundle import save_bundle
from pipelines.calibration import calibrate as module
from pipelines.calibration.calibrate import Calibration
from pipelines.progress import Progress
from tests.pipelines.made_up_manifest import manifest

runner = CliRunner()


@pytest.mark.parametrize(("options", "out"), [([], "B"), (["--out", "O"], "O")])
def test_it_hands_on_every_option_and_says_where_the_bundle_is(
    monkeypatch: pytest.MonkeyPatch, options: list[str], out: str
) -> None:
    told: list[Calibration] = []

    def calibrated(wanted: Calibration, progress: Progress) -> str:
        told.append(wanted)
        return "fused: slope 0.81, 500 patients"

    monkeypatch.setattr(module, "calibrate", calibrated)
    done = runner.invoke(app, ["calibrate", "B", "--cohort", "C", "--device", "cpu", "--workers", "2", *options])
    assert done.exit_code == 0
    assert told == [Calibration(Path("B"), Path("C"), Path(out), "cpu", 2)]
    assert "fused: slope 0.81" in done.stdout
    assert f"bundle written to {out}" in done.stdout


def test_what_cannot_be_calibrated_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    save_bundle(tmp_path / "bundle", manifest(system="segmenter"), {})
    for bundle, said in (("nothing", "does not exist"), ("bundle", "predicts no outcome")):
        done = runner.invoke(app, ["calibrate", str(tmp_path / bundle), "--cohort", str(tmp_path), "--device", "cpu"])
        assert done.exit_code == 3
        assert said in done.stderr
        assert "Traceback" not in done.stderr
