"""Two exams with the objects that `restage score` made of them: what the programs of this folder are given to read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread

EVERY_OBJECT = "report,seg,summary,pdf,maps,contours,presentation"


@dataclass(frozen=True)
class ScoredPair:
    """The folders of both exams, flat, and the path of every result object: ``seg_restaging.dcm``, ``report.dcm`` …"""

    baseline: Path
    restaging: Path
    results: tuple[Path, ...]

    def of(self, sop_class: str) -> list[Dataset]:
        """The results of one SOP class; empty where there is none."""
        return [dataset for dataset in map(dcmread, self.results) if dataset.SOPClassUID == sop_class]

    def only(self, *kinds: str) -> ScoredPair:
        """The same, with results of these kinds alone (beginnings of their files' names)."""
        return replace(self, results=tuple(path for path in self.results if path.stem.startswith(kinds)))

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every image of both exams."""
        return tuple(sorted((*self.baseline.glob("*.dcm"), *self.restaging.glob("*.dcm"))))

    @property
    def findings(self) -> dict[str, Any]:
        """What the results were made from, as ``findings.json`` beside them."""
        return dict(json.loads((self.results[0].parent / "findings.json").read_text()))


def scored_pair(baseline: Path, restaging: Path, out: Path) -> ScoredPair:
    """Score two exams with the project's own command line, into ``out``: an object of every kind there is."""
    command = [sys.executable, "-m", "node", "score", "--out", str(out), "--objects", EVERY_OBJECT]
    command += ["--baseline", str(baseline), "--restaging", str(restaging)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return ScoredPair(baseline, restaging, tuple(sorted(out.glob("*.dcm"))))
