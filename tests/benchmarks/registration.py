"""How far off T2 and DWI, and the two exams, lie before and after registration, on phantoms of known displacement.

Beside the phantoms: the two real pelvic studies of ../shared/data, where nothing is known but that they must not be
spoilt, and copies of them displaced by a known shift or transform. Times are of one core's work, not of the clock.

Run: python -m tests.benchmarks.registration [PATIENTS] [PATIENTS AT CLINICAL SIZE]; prints JSON last. An exam counts as
made worse where its error grew by more than half a millimetre.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from pipelines.contract import Affine, Alignment, Role, TimePoint, Volume
from pipelines.exam import exam_files
from pipelines.phantom import exam as phantom_exam
from pipelines.phantom.cohort import simulate_patient
from pipelines.phantom.exam import SimulatedExam, Stack
from pipelines.phantom.grid import Placement, draw_placement, rotation
from pipelines.phantom.site import FULL, SMALL, Preset
from pipelines.registration.register import align_dwi, align_exams
from pipelines.volumes.volume import load_dwi, load_volume, phase_encode_axis
from tests.real_pair import IMAGES

SEED = 2718
WORSE_MM = 0.5
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SHIFTS = (-5.0, -3.0, -1.5, 1.5, 3.0, 5.0)
TURNS = ((0.0, 0.0, 0.0), (8.0, -3.0, 5.0), (-6.0, 4.0, -9.0))


def volume(stack: Stack) -> Volume:
    return Volume(stack.counts.astype(np.float32), stack.affine, "of this exam")


def patient(index: int, preset: Preset) -> tuple[tuple[SimulatedExam, SimulatedExam], tuple[Placement, Placement]]:
    """Both exams of a phantom patient, and how the patient lay: pelvis frame to LPS."""
    placed: list[Placement] = []

    def draw(rng: np.random.Generator) -> Placement:
        placed.append(draw_placement(rng))
        return placed[-1]

    with patch.object(phantom_exam, "draw_placement", draw):
        exams = simulate_patient(SEED, index, preset).exams
    return exams, (placed[0], placed[1])


def worked(align: Callable[[], Alignment]) -> tuple[Alignment, float]:
    """An alignment and the seconds of CPU that it took."""
    started = time.process_time()
    found = align()
    return found, time.process_time() - started


def at_tumour(exam: SimulatedExam) -> np.ndarray:
    """LPS (n, 3) of voxels of the tumour."""
    index = np.argwhere(exam.mask)[::20]
    return np.asarray(index @ exam.t2.affine[:3, :3].T + exam.t2.affine[:3, 3])


def errors(matrix: Affine, truth: Affine, points: np.ndarray) -> np.ndarray:
    """mm between where each point is put and where it belongs."""
    wrong = matrix - truth
    return np.asarray(np.linalg.norm(points @ wrong[:3, :3].T + wrong[:3, 3], axis=1))


def summary(before: Sequence[float], found: Sequence[tuple[float, Alignment, float]]) -> dict[str, float]:
    """``found``: error in mm, alignment, seconds."""
    after = np.array([error for error, _, _ in found])
    start, seconds = np.array(before), np.array([spent for _, _, spent in found])
    return {
        "images": len(after),
        "before_median_mm": round(float(np.median(start)), 2),
        "before_p95_mm": round(float(np.percentile(start, 95)), 2),
        "after_median_mm": round(float(np.median(after)), 2),
        "after_p95_mm": round(float(np.percentile(after, 95)), 2),
        "after_largest_mm": round(float(after.max()), 2),
        "accepted": round(sum(alignment.accepted for _, alignment, _ in found) / len(found), 3),
        "made_worse": round(float((after > start + WORSE_MM).mean()), 3),
        "cpu_s_median": round(float(np.median(seconds)), 2),
        "cpu_s_largest": round(float(seconds.max()), 2),
    }


def dwi_error(exam: SimulatedExam, axis: int | None) -> tuple[float, float, Alignment, float] | None:
    """Before and after (mm), alignment and seconds of one exam; None where it has no DWI."""
    if not exam.dwi:
        return None
    images = {float(stack.b_value or 0.0): volume(stack) for stack in exam.dwi}
    truth = np.eye(4)
    truth[:3, 3] = -exam.dwi_shift_mm * exam.dwi_shift_axis
    found, seconds = worked(lambda: align_dwi(volume(exam.t2), images, axis))
    point = at_tumour(exam)[:1]
    return abs(exam.dwi_shift_mm), float(errors(found.matrix, truth, point)[0]), found, seconds


def phantoms(preset: Preset, patients: int) -> dict[str, dict[str, float]]:
    dwi, unknown, pairs = [], [], []
    for index in range(patients):
        exams, placed = patient(index, preset)
        dwi += [dwi_error(exam, 1) for exam in exams]
        unknown += [dwi_error(exam, None) for exam in exams]
        truth = placed[1].matrix @ np.linalg.inv(placed[0].matrix)
        baseline, restaging = volume(exams[0].t2), volume(exams[1].t2)
        found, seconds = worked(lambda one=baseline, other=restaging: align_exams(one, other))  # type: ignore[misc]
        points = at_tumour(exams[0])
        pairs.append(
            (
                float(errors(np.eye(4), truth, points).mean()),
                float(errors(found.matrix, truth, points).mean()),
                found,
                seconds,
            )
        )
        print(f"{preset.name} {index}: pair {pairs[-1][0]:.1f} mm before, {pairs[-1][1]:.2f} after", file=sys.stderr)
    every = {"t2_dwi": dwi, "t2_dwi_axis_unknown": unknown, "exams": pairs}
    return {
        f"{name}_{preset.name}": summary([one[0] for one in rows if one], [one[1:] for one in rows if one])
        for name, rows in every.items()
    }


def displaced(images: dict[float, Volume], axis: int, distance: float) -> dict[float, Volume]:
    """The same voxels said to lie elsewhere, so many mm along an index axis."""
    step = np.eye(4)
    some = next(iter(images.values()))
    step[:3, 3] = some.affine[:3, axis] / some.spacing[axis] * distance
    return {b: replace(image, affine=step @ image.affine) for b, image in images.items()}


def real_dwi(t2: Volume, images: dict[float, Volume], axis: int) -> dict[str, object]:
    """The study as it is, and displaced by known shifts: how far the answers differ from what was done."""
    own = align_dwi(t2, images, axis)
    residuals, accepted = [], 0
    for distance in SHIFTS:
        found = align_dwi(t2, displaced(images, axis, distance), axis)
        left = found.matrix[:3, 3] + images[min(images)].affine[:3, axis] / images[min(images)].spacing[axis] * distance
        residuals.append(float(np.linalg.norm(left)))
        accepted += found.accepted
    return {
        "as_it_is": own.how,
        "moved_mm": round(own.displacement_mm, 2),
        "displaced_by_mm": SHIFTS,
        "left_mm": [round(value, 2) for value in residuals],
        "accepted": accepted,
    }


def real_exam(t2: Volume) -> list[dict[str, object]]:
    """The T2 against a noisier copy of itself, fewer slices and pixels, that lies turned and elsewhere."""
    answers = []
    for turn in TURNS:
        truth = np.eye(4)
        truth[:3, :3], truth[:3, 3] = rotation(turn), (12.0, -20.0, 35.0)
        part = t2.array[2:, 30:, :-40]
        noise = np.random.default_rng(5).normal(0, 0.05 * float(part.mean()), part.shape)
        affine = t2.affine.copy()
        affine[:3, 3] += t2.affine[:3, :3] @ [2, 30, 0]
        copy = Volume((1.4 * part + noise).astype(np.float32), truth @ affine, "of another exam")
        found, seconds = worked(lambda other=copy: align_exams(t2, other))  # type: ignore[misc]
        corners = np.array([(i, j, k) for i in (0.3, 0.7) for j in (0.3, 0.7) for k in (0.3, 0.7)]) * t2.array.shape
        points = corners @ t2.affine[:3, :3].T + t2.affine[:3, 3]
        error = float(errors(found.matrix, truth, points).max())
        answers.append(
            {
                "turned": turn,
                "largest_error_mm": round(error, 2),
                "accepted": found.accepted,
                "cpu_s": round(seconds, 2),
            }
        )
    return answers


def real() -> dict[str, object]:
    if not SHARED.is_dir():
        return {"real": None}
    studies: dict[str, object] = {}
    loaded = []
    for name in ("ProstateX-0000", "ProstateX-0001"):
        files = exam_files(SHARED / IMAGES / name, TimePoint.BASELINE)
        t2, images = load_volume(files.chosen[Role.T2_AXIAL]), load_dwi(files.chosen[Role.DWI])
        loaded.append(t2)
        axis = phase_encode_axis(files.chosen[Role.DWI])
        assert axis is not None
        studies[name] = {"t2_dwi": real_dwi(t2, images, axis), "copy_displaced": real_exam(t2)}
    studies["two_persons_as_a_pair"] = align_exams(*loaded).how
    return {"real": studies}


def main() -> None:
    patients, clinical = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 20), (2, 4)))
    figures: dict[str, object] = {**phantoms(SMALL, patients), **phantoms(FULL, clinical), **real()}
    print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()
