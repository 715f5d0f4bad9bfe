"""How well a segmenter outlines the tumours of a cohort, before and after therapy, whole and by hospital.

Each exam is outlined on its own T2, as the node does it. A tumour that was not found counts with Dice 0; its surface
distance does not exist, so the distances are of the found ones and the share found stands beside them.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance

from pipelines.bundle import Bundle, BundleError, load_bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import MaskArray, TimePoint
from pipelines.evaluation.judged import UNSTATED
from pipelines.evaluation.prediction import Numbers
from pipelines.evaluation.statistics.resample import multiplicities
from pipelines.inputs.cache import Entry
from pipelines.masks.overlap import dice
from pipelines.phantom.report.style import GOOD, INK, POOR, figure, quiet, save
from pipelines.progress import Progress, silent
from pipelines.segment import SegmenterSize, TumourSegmenter
from pipelines.segmenter_cut import SegmenterCut, SegmenterExam

LIMITS = (2.5, 97.5)  # percentiles of the bootstrap
WHOLE = "all"


@dataclass(frozen=True)
class Outlined:
    """One exam: Dice, volumes (cm³), and the 95th percentile Hausdorff distance (mm), None where nothing was found.

    ``found``: the segmenter outlined a tumour, and it touches the true one.
    """

    patient_id: str
    site: str
    time_point: TimePoint
    dice: float
    found: bool
    volume_cm3: float
    true_cm3: float
    hausdorff95_mm: float | None


def cut_of(bundle: Bundle) -> SegmenterCut:
    """What the bundle reads of an exam."""
    return SegmenterCut(SegmenterSize.from_json(bundle.manifest.network).spacing)


@dataclass(frozen=True)
class Outlining:
    """How exams are outlined: on which device, in how many processes (of a CPU; another device is used by one), and who
    watches. Every process has one torch thread, so that their number changes no result."""

    device: torch.device
    workers: int = 1
    progress: Progress = silent


@dataclass(frozen=True)
class _Task:
    """One exam, small enough to travel; ``bundle`` by its folder and digest."""

    folder: Path
    digest: str
    device: torch.device
    patient_id: str
    site: str
    when: TimePoint
    entry: Entry


def figures(bundle: Bundle, prepared: Sequence[PreparedPatient], how: Outlining) -> dict[str, Any]:
    """Figures per time point, as JSON values: ``baseline`` and ``restaging`` each by hospital and ``all``.

    ``prepared``: through masks to compare with (a reader's, or the truth). ``exams``: every exam's own figures.
    ``left_out``: patients with no exam that could be prepared. Intervals are 95 %, bootstrap over patients.
    """
    outlined = outline_all(bundle, prepared, how)
    found: dict[str, Any] = {
        str(when): by_site([one for one in outlined if one.time_point is when]) for when in TimePoint
    }
    left_out = {one.patient.patient_id: one.refusal for one in prepared if not one.exams}
    return found | {"left_out": left_out, "exams": [asdict(one) for one in outlined]}


def outline_all(bundle: Bundle, prepared: Sequence[PreparedPatient], how: Outlining) -> tuple[Outlined, ...]:
    """Every exam outlined by the segmenter that the node uses, beside its true outline.

    Raises BundleError where the bundle's folder holds another one by now.
    """
    tasks = [
        _Task(
            bundle.folder,
            bundle.weights_digest,
            how.device,
            one.patient.patient_id,
            one.patient.site or UNSTATED,
            when,
            entry,
        )
        for one in prepared
        for when, entry in one.exams.items()
    ]
    made = []
    for done, found in enumerate(_run(tasks, how), start=1):
        made.append(found)
        how.progress("outlining tumours", done, len(tasks))
    return tuple(made)


def _run(tasks: Sequence[_Task], how: Outlining) -> Iterator[Outlined]:
    if how.workers <= 1 or len(tasks) <= 1 or how.device.type != "cpu":
        with _one_thread():
            yield from map(_outlined, tasks)
        return
    # spawn: a forked child would inherit torch's threads in an unknown state.
    with ProcessPoolExecutor(how.workers, mp_context=get_context("spawn"), initializer=_single_thread) as pool:
        yield from pool.map(_outlined, tasks, chunksize=4)


def _single_thread() -> None:
    torch.set_num_threads(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a process of its own; what was set before is put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _outlined(task: _Task) -> Outlined:
    exam = SegmenterExam.of(task.entry)
    segmenter = _segmenter(task.folder, task.digest, task.device)
    mask = segmenter.found(exam.channels.astype(np.float32), exam.grid, exam.t2)
    return compared(task.patient_id, task.site, task.when, mask, exam)


@lru_cache(maxsize=1)
def _segmenter(folder: Path, digest: str, device: torch.device) -> TumourSegmenter:
    """Read once by each process."""
    bundle = load_bundle(folder)
    if bundle.weights_digest != digest:
        raise BundleError(folder, "was changed while it was judged", "start again")
    return TumourSegmenter(bundle, device)


def compared(patient_id: str, site: str, when: TimePoint, mask: MaskArray, exam: SegmenterExam) -> Outlined:
    """One outline on the T2 grid beside the true one."""
    return Outlined(
        patient_id=patient_id,
        site=site,
        time_point=when,
        dice=dice(mask, exam.truth),
        found=bool((mask & exam.truth).any()),
        volume_cm3=float(np.count_nonzero(mask)) * exam.t2.voxel_mm3 / 1000.0,
        true_cm3=exam.volume_cm3,
        hausdorff95_mm=hausdorff95(mask, exam.truth, exam.t2.spacing),
    )


def hausdorff95(one: MaskArray, other: MaskArray, spacing: tuple[float, float, float]) -> float | None:
    """The larger of the two directed 95th percentile surface distances, mm (MONAI); None where a mask is empty."""
    if not one.any() or not other.any():
        return None
    either = one | other  # distances need no voxel further out
    box = tuple(slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(either))
    first, second = (torch.from_numpy(np.pad(mask[box], 1))[None, None] for mask in (one, other))
    with warnings.catch_warnings():
        # MONAI's own call of its own function in a way that it deprecates; nothing a reader could change.
        warnings.simplefilter("ignore", FutureWarning)
        distance = compute_hausdorff_distance(first, second, include_background=True, percentile=95, spacing=spacing)
    return float(distance[0, 0])


def by_site(outlined: Sequence[Outlined]) -> dict[str, Any]:
    """Figures of one time point, of all hospitals and of each."""
    groups: dict[str, list[Outlined]] = defaultdict(list)
    for one in outlined:
        groups[one.site].append(one)
    chosen = {WHOLE: list(outlined), **dict(sorted(groups.items()))} if outlined else {}
    return {name: _summary(group) for name, group in chosen.items()}


def _summary(group: Sequence[Outlined]) -> dict[str, Any]:
    found = [one for one in group if one.found]
    bias = [one.volume_cm3 / one.true_cm3 - 1.0 for one in found]
    distances = [one.hausdorff95_mm for one in found if one.hausdorff95_mm is not None]
    return {
        "exams": len(group),
        "dice_mean": _estimate([one.dice for one in group], np.mean),
        "dice_median": _estimate([one.dice for one in group], np.median),
        "found_share": _estimate([float(one.found) for one in group], np.mean),
        "volume_bias_of_found": _estimate(bias, np.mean),
        "hausdorff95_mm_of_found": _estimate(distances, np.median),
    }


def _estimate(values: Sequence[float], figure_of: Callable[[Numbers], Any]) -> dict[str, Any]:
    """A mean or median with percentile limits of a bootstrap; None of no values."""
    numbers = np.array(values, dtype=np.float64)
    if not numbers.size:
        return {"value": None, "ci": None}
    draws = multiplicities(np.zeros(numbers.size), seed=1).astype(np.intp)
    drawn = [float(figure_of(np.repeat(numbers, counts))) for counts in draws]
    low, high = np.percentile(drawn, LIMITS)
    return {"value": float(figure_of(numbers)), "ci": [float(low), float(high)]}


def draw(found: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """The pictures of ``figures``: Dice by hospital, outlined against true volume. Returns the PNG files."""
    paths = (folder / "segmenter_dice.png", folder / "segmenter_volume.png")
    _draw_dice(found["exams"], paths[0])
    _draw_volume(found["exams"], paths[1])
    return paths


def _draw_dice(exams: Sequence[Mapping[str, Any]], path: Path) -> None:
    made = figure(9, 3.4)
    for axes, when in zip(made.subplots(1, 2, sharey=True), TimePoint, strict=True):
        groups = dict(_by_site(exams, when))
        if groups:
            axes.boxplot(list(groups.values()), whis=(5, 95), widths=0.5, medianprops={"color": INK}, showfliers=False)
            axes.set_xticks(range(1, len(groups) + 1), [f"{name}\nn = {len(dices)}" for name, dices in groups.items()])
        quiet(axes, f"{when} exams", "hospital; box: quartiles, whiskers: 5 to 95 %")
        axes.set(ylim=(-0.02, 1.02), ylabel="Dice coefficient")
    save(made, path)


def _by_site(exams: Sequence[Mapping[str, Any]], when: TimePoint) -> Iterator[tuple[str, list[float]]]:
    sites = sorted({one["site"] for one in exams if one["time_point"] == when})
    for site in sites:
        yield site, [one["dice"] for one in exams if one["time_point"] == when and one["site"] == site]


def _draw_volume(exams: Sequence[Mapping[str, Any]], path: Path) -> None:
    made = figure(5.2, 4.4)
    axes = made.subplots()
    top = max([one["true_cm3"] for one in exams] + [one["volume_cm3"] for one in exams] + [1.0])
    for when, colour in ((TimePoint.BASELINE, GOOD), (TimePoint.RESTAGING, POOR)):
        shown = [one for one in exams if one["time_point"] == when]
        axes.scatter(
            [one["true_cm3"] for one in shown], [one["volume_cm3"] for one in shown], s=9, color=colour, label=str(when)
        )
    axes.plot([0, top], [0, top], color=INK, linewidth=0.8)
    quiet(axes, "Volume outlined against true volume", "true volume, cm³")
    axes.set(ylabel="outlined volume, cm³")
    axes.legend(frameon=False, fontsize=8)
    save(made, path)
