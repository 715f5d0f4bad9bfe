"""Key slices of a patient before and after therapy, with the planted tumour's outline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.ndimage import map_coordinates

from pipelines.contract import Affine
from pipelines.phantom.cohort import PRESETS, simulate_patient
from pipelines.phantom.exam import SimulatedExam, Stack
from pipelines.phantom.oracle import CohortTruth
from pipelines.phantom.report.style import INK, NEUTRAL, figure, save
from pipelines.phantom.site import OUTSIDE, SITES

FIELD_MM = 110.0
PIXELS = 220
HIGH_B = 1000.0  # every site has it, and the tumour stands out of the noise
OUTLINE = "#FFD23F"
TITLES = ("axial T2", f"DWI, b {HIGH_B:g}", "scanner's ADC", "contrast-enhanced T1")
ADC_WINDOW = (0.4, 2.6)  # 10⁻³ mm²/s


def chosen(truth: CohortTruth) -> list[int]:
    """Rows worth seeing: a complete response, a poor one, one of a third site, a mucinous tumour if there is one."""
    number, words = truth.numbers, truth.words
    whole = [not (a + b) for a, b in zip(words["missing_baseline"], words["missing_restaging"], strict=True)]
    wanted = (
        number["complete_response"] == 1,
        np.array(words["trg_ajcc"]) == "AJCC-3",
        np.array(words["trg_ajcc"]) == "AJCC-1",
        np.array(words["histology"]) == "mucinous adenocarcinoma",
    )
    found: list[int] = []
    seen_sites: set[str] = set()
    for flags in wanted:
        rows = [int(i) for i in np.flatnonzero(flags & np.array(whole)) if i not in found]
        fresh = [i for i in rows if words["site"][i] not in seen_sites]
        if rows:
            found.append((fresh or rows)[0])
            seen_sites.add(words["site"][found[-1]])
    return found


def _plane(exam: SimulatedExam) -> np.ndarray:
    """LPS points (PIXELS, PIXELS, 4) of a square on the slice with the most tumour, around the tumour."""
    k = int(exam.mask.sum(axis=(1, 2)).argmax())
    rows, columns = np.nonzero(exam.mask[k])
    affine = exam.t2.affine
    steps = [affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in (1, 2)]
    centre = (affine @ [k, rows.mean(), columns.mean(), 1])[:3]
    line = (np.arange(PIXELS) - (PIXELS - 1) / 2) * FIELD_MM / PIXELS
    points = centre + line[:, None, None] * steps[0] + line[None, :, None] * steps[1]
    return np.concatenate([points, np.ones((PIXELS, PIXELS, 1))], axis=2)


def _cut(values: np.ndarray, affine: Affine, points: np.ndarray) -> np.ndarray:
    index = (points @ np.linalg.inv(affine).T)[..., :3].transpose(2, 0, 1)
    return np.asarray(map_coordinates(values.astype(np.float32), index, order=1, mode="nearest"))


def _show(axes: Axes, stack: Stack | None, points: np.ndarray, outline: np.ndarray, step: float | None) -> None:
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor("#F3F4F6")
    if stack is None:
        axes.text(0.5, 0.5, "not acquired", transform=axes.transAxes, ha="center", color=NEUTRAL, fontsize=8)
        axes.set_aspect("equal")
        return
    cut = _cut(stack.counts, stack.affine, points)
    window = np.quantile(cut, [0.01, 0.995]) if step is None else np.array(ADC_WINDOW) / step
    axes.imshow(cut, cmap="gray", vmin=window[0], vmax=window[1], interpolation="bilinear")
    axes.contour(outline, [0.5], colors=OUTLINE, linewidths=1.1)


def _series(exam: SimulatedExam) -> tuple[Stack | None, ...]:
    high = next((stack for stack in exam.dwi if stack.b_value == HIGH_B), None)
    return exam.t2, high, exam.scanner_adc, exam.ce_t1


def draw_slices(truth: CohortTruth, row: int, path: Path) -> str:
    """Two exams by four series; returns a caption. The patient is simulated again, which gives the written pixels."""
    words, number = truth.words, truth.numbers
    site = next(one for one in (*SITES, OUTSIDE) if one.name == words["site"][row])
    simulated = simulate_patient(
        int(words["seed"][row]), int(words["index"][row]), PRESETS[words["preset"][row]], (site,)
    )
    made = figure(10.6, 5.5)
    grid = made.subplots(2, 4)
    for axes_row, exam, when in zip(grid, simulated.exams, ("before therapy", "after therapy"), strict=True):
        points = _plane(exam)
        outline = _cut(exam.mask, exam.t2.affine, points)
        for place, (axes, stack) in enumerate(zip(axes_row, _series(exam), strict=True)):
            _show(axes, stack, points, outline, site.adc_step if place == 2 else None)
        axes_row[0].set_ylabel(when, fontsize=9.5, color=INK)
    for axes, title in zip(grid[0], TITLES, strict=True):
        axes.set_title(title, fontsize=9.5, color=INK)
    save(made, path)
    return (
        f"{words['patient_id'][row]}, site {words['site'][row]}: {words['histology'][row]}, {words['ct_stage'][row]}, "
        f"{words['trg_ajcc'][row]}, {words['ypt_stage'][row]} {words['ypn_stage'][row]}; "
        f"{number['volume_baseline_cm3'][row]:.1f} → {number['volume_restaging_cm3'][row]:.1f} cm³, "
        f"D {number['d_baseline'][row]:.2f} → {number['d_restaging'][row]:.2f}; true probability of a good response "
        f"{100 * number['p_good_response_pair'][row]:.0f} %, of metastasis by 36 months "
        f"{100 * number['p_metastasis_36m_pair'][row]:.0f} %"
    )
