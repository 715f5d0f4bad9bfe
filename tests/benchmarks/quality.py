"""How well the quality gate tells planted motion, ghosts and gas from clean exams: phantom, and the two real studies.

Run: python -m tests.benchmarks.quality [patients]; prints JSON last. Clean exams should give no finding of a code; a
planted fault one of its code (``sensitivity``), and the gross ones a refusal (``refused``). Without ../shared/data the
real studies are left out, and ``real_exams`` is 0.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from pipelines.case import load_exam
from pipelines.contract import Code, Exam, Mask, MaskOrigin, TimePoint
from pipelines.exam import exam_files
from pipelines.quality import QualityReport, Severity, assess_exam
from tests.conftest import REPOSITORY
from tests.pipelines.quality.planted import displaced, ghosted, phantom_exams, with_dwi, with_gas
from tests.real_pair import IMAGES

SEED, PATIENTS = 90210, 8
Plant = Callable[[Exam], Exam]


def highest(exam: Exam) -> tuple[float, ...]:
    return (max(exam.dwi),)


# Name, code, whether it is gross (to be refused), and the fault.
FAULTS: tuple[tuple[str, Code, bool, Plant], ...] = (
    ("b_shift_3mm", Code.MOTION_SUSPECTED, False, lambda e: with_dwi(e, lambda v: displaced(v, 3.0), highest(e))),
    ("b_shift_6mm", Code.MOTION_SUSPECTED, True, lambda e: with_dwi(e, lambda v: displaced(v, 6.0, 2), highest(e))),
    ("slices_3mm", Code.MOTION_SUSPECTED, False, lambda e: with_dwi(e, lambda v: displaced(v, 3.0, every=2))),
    ("slices_6mm", Code.MOTION_SUSPECTED, True, lambda e: with_dwi(e, lambda v: displaced(v, 6.0, 2, every=2))),
    ("t2_slices_3mm", Code.MOTION_SUSPECTED, False, lambda e: replace(e, t2=displaced(e.t2, 3.0, every=2))),
    ("ghost_10", Code.MOTION_SUSPECTED, False, lambda e: with_dwi(e, lambda v: ghosted(v, 0.10))),
    ("ghost_20", Code.MOTION_SUSPECTED, False, lambda e: with_dwi(e, lambda v: ghosted(v, 0.20, 2))),
    ("gas_10mm", Code.GAS_SUSPECTED, False, lambda e: with_gas(e, 12.0, 10.0)),
    ("gas_20mm", Code.GAS_SUSPECTED, False, lambda e: with_gas(e, 15.0, 20.0)),
)


def exams(patients: int) -> Iterator[tuple[str, Exam]]:
    yield from real_exams()
    for index in range(patients):
        for exam in phantom_exams(SEED, index):
            if exam.dwi:
                yield f"phantom {index} {exam.files.time_point}", exam


def real_exams() -> Iterator[tuple[str, Exam]]:
    """With a made-up ellipsoid in place of a tumour: it marks the prostate, not a disease."""
    source = REPOSITORY.parent / "shared" / "data" / IMAGES
    for folder in sorted(source.glob("ProstateX-*")) if source.is_dir() else ():
        exam, _ = load_exam(exam_files(folder, TimePoint.BASELINE), None)
        yield (
            f"real {folder.name}",
            replace(exam, mask=Mask(_ellipsoid(exam.t2.array.shape), MaskOrigin.READER, "made")),
        )


def _ellipsoid(shape: tuple[int, ...]) -> np.ndarray:
    middle = np.array([size / 2 for size in shape]) - (0, 0, 6)
    where = np.indices(shape).reshape(3, -1).T - middle
    return np.asarray(((where / (4.3, 22.0, 30.0)) ** 2).sum(axis=1) <= 1).reshape(shape)


def found(report: QualityReport, code: Code, severity: Severity | None = None) -> bool:
    return any(one.code is code and severity in (None, one.severity) for one in report.findings)


def main() -> None:
    torch.set_num_threads(1)
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else PATIENTS
    clean: dict[str, list[bool]] = {str(code): [] for code in (Code.MOTION_SUSPECTED, Code.GAS_SUSPECTED)}
    hits: dict[str, list[tuple[bool, bool]]] = {name: [] for name, *_ in FAULTS}
    seconds, real = [], 0
    for name, exam in exams(patients):
        real += name.startswith("real")
        started = time.process_time()
        report = assess_exam(exam)
        seconds.append(time.process_time() - started)
        print(name, dict(report.parameters), *(f"\n  {one.code} {one.severity}" for one in report.findings))
        for code in clean:
            clean[code].append(not found(report, Code(code)))
        for fault, code, _, plant in FAULTS:
            spoilt = assess_exam(plant(exam))
            hits[fault].append((found(spoilt, code), found(spoilt, code, Severity.REFUSAL)))
    figures = {
        "real_exams": real,
        "exams": len(seconds),
        "specificity": {code: round(float(np.mean(silent)), 3) for code, silent in clean.items()},
        "sensitivity": {name: round(float(np.mean([hit for hit, _ in both])), 3) for name, both in hits.items()},
        "refused": {name: round(float(np.mean([gone for _, gone in both])), 3) for name, both in hits.items()},
        "gross": [name for name, _, gross, _ in FAULTS if gross],
        "cpu_seconds_per_exam": round(max(seconds), 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
