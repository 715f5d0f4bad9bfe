"""Motion: displacement between b-values and between neighbouring slices by phase-less correlation of edges, and ghosts.

Edges (gradient magnitude of the square root of the signal) hold their place while contrast changes with b. Their
cross-correlation is taken slice by slice in Fourier space under a Hann window, its peak refined by a parabola. A ghost
of half a field of view (N/2, Bernstein et al., Handbook of MRI Pulse Sequences, 2004, 16.1) is a peak of the
autocorrelation half a field away along the phase-encode axis; air outside the body is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from pipelines.contract import Code, Exam, FloatArray, Role, Volume
from pipelines.quality import limits
from pipelines.quality.finding import Assessment

SEARCH_MM = 12.0
EDGE_MM = 2.0  # smoothing before the gradient
STRONGEST = 98.0  # percentile at which edges are capped: a coil's rim must not lead
NO_EDGE = 1e-4  # norm of the edges of a slice without any
NEEDED_CORRELATION = 0.4  # lower, the peak is one of noise
NEEDED_TOGETHER = 0.15  # of all slices together: their noise averages out
NEEDED_SIZE = 48  # voxels along each side of a slice
NEEDED_SLICES = 6
QUARTILE = 75.0
NEAR_GHOST, FAR_GHOST = 4, 10  # voxels beside the peak whose autocorrelation is its background

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """``b_shift``, ``jitter`` in mm, ``ghost`` without unit; None where the images do not let it be measured."""

    b_shift: float | None
    jitter: float | None
    ghost: float | None

    def score(self) -> float | None:
        """The worst of the three as a share of its limit of refusal; 1 and above is refused."""
        shares = [
            value / limit.refusal
            for value, limit in (
                (self.b_shift, limits.B_SHIFT),
                (self.jitter, limits.SLICE_JITTER),
                (self.ghost, limits.GHOST),
            )
            if value is not None
        ]
        return max(shares) if shares else None


def assess_motion(exam: Exam, made: Assessment) -> None:
    """Motion of the DWI, and displaced slices of the T2."""
    jitter = slice_jitter(exam.t2)
    made.measured("T2 slice displacement", _in_mm(jitter))
    if jitter is not None:
        reason = f"every second T2 slice is displaced by about {jitter:.1f} mm: the patient moved between its passes"
        made.judge(Code.MOTION_SUSPECTED, Role.T2_AXIAL, jitter, limits.T2_JITTER, reason)
    if exam.dwi:
        _judge(motion_of(exam.dwi, exam.phase_axis), made)


def motion_of(dwi: Mapping[float, Volume], phase_axis: int | None = None) -> Motion:
    """``dwi``: b-value (s/mm²) to volume, all on one grid; ``phase_axis``: index axis of phase encoding (1 or 2)."""
    low = dwi[min(dwi)]
    return Motion(b_shift(dwi), slice_jitter(low), ghost_level(low, phase_axis))


def _judge(motion: Motion, made: Assessment) -> None:
    score = motion.score()
    made.measured("DWI motion score", "not measurable" if score is None else f"{score:.2f} (1: refused)")
    ghost = "not measurable" if motion.ghost is None else f"{motion.ghost:.2f}"
    made.measured(
        "DWI motion",
        f"between b-values {_in_mm(motion.b_shift)}, between slices {_in_mm(motion.jitter)}, ghost {ghost}",
    )
    if motion.b_shift is not None:
        reason = f"the DWI's b-values are displaced by {motion.b_shift:.1f} mm against each other: ADC mixes tissues"
        made.judge(Code.MOTION_SUSPECTED, Role.DWI, motion.b_shift, limits.B_SHIFT, reason)
    if motion.jitter is not None:
        reason = f"every second DWI slice is displaced by about {motion.jitter:.1f} mm against its neighbours"
        made.judge(Code.MOTION_SUSPECTED, Role.DWI, motion.jitter, limits.SLICE_JITTER, reason)
    if motion.ghost is not None:
        reason = f"the DWI holds a ghost half a field of view away (correlation {motion.ghost:.2f})"
        made.judge(Code.MOTION_SUSPECTED, Role.DWI, motion.ghost, limits.GHOST, reason)


def _in_mm(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.1f} mm"


def b_shift(dwi: Mapping[float, Volume]) -> float | None:
    """Displacement (mm) between neighbouring b-values, of the worst pair: upper quartile over the slices, or, where
    single slices are too noisy, of all slices together.

    None where no pair of images has enough in common (noise, or no edges).
    """
    found = []
    for one, other in pairwise(_edges(dwi[b]) for b in sorted(dwi)):
        planes = _correlation(one.array, other.array, one.steps)
        shifts, peaks = _peaks(planes, one.steps)
        seen = peaks >= NEEDED_CORRELATION
        if seen.sum() >= max(NEEDED_SLICES, len(seen) / 2):
            found.append(float(np.percentile(np.hypot(*shifts[seen].T), QUARTILE)))
            continue
        (together,), (peak,) = _peaks(planes.mean(axis=0, keepdims=True), one.steps)
        if peak >= NEEDED_TOGETHER:
            found.append(float(np.hypot(*together)))
    return max(found, default=None)


def slice_jitter(volume: Volume) -> float | None:
    """Displacement (mm) of the odd slices against the even ones: what an interleaved acquisition makes of motion.

    Anatomy that leans from slice to slice moves all of them alike and cancels. None for too few or too poor slices.
    """
    edges = _edges(volume)
    if len(edges.array) < NEEDED_SLICES:
        return None
    shifts, peaks = _peaks(_correlation(edges.array[:-1], edges.array[1:], edges.steps), edges.steps)
    if np.median(peaks) < NEEDED_CORRELATION:
        return None
    there, back = shifts[::2], shifts[1::2]
    return float(np.hypot(*(np.median(there, axis=0) - np.median(back, axis=0)))) / 2


def ghost_level(volume: Volume, phase_axis: int | None = None) -> float | None:
    """Height of the autocorrelation half a field of view away along ``phase_axis``, over that beside it; the larger of
    both axes where it is not known.

    About the share of the signal in the ghost, 0 without one. None where slices are too small.
    """
    image = volume.array
    if min(image.shape[1:]) < NEEDED_SIZE:
        return None
    capped = np.minimum(image, np.percentile(image, 99.0)).astype(np.float64)
    fine = capped - ndimage.gaussian_filter(capped, (0, 2, 2), mode="wrap")
    top = np.percentile(np.abs(fine), STRONGEST)
    power = np.mean(np.abs(fft.rfft2(np.clip(fine, -top, top))) ** 2, axis=0)
    correlation = fft.irfft2(power, s=image.shape[1:])
    if correlation[0, 0] <= 0:
        return None
    lines = {1: correlation[:, 0], 2: correlation[0]}
    wanted = lines.values() if phase_axis is None else [lines[phase_axis]]
    return max(0.0, *(_peak_at_half(line) for line in wanted)) / float(correlation[0, 0])


def _peak_at_half(line: Floats) -> float:
    half = len(line) // 2
    beside = np.concatenate(
        [line[half - FAR_GHOST + 1 : half - NEAR_GHOST + 1], line[half + NEAR_GHOST : half + FAR_GHOST]]
    )
    return float(line[half] - np.median(beside))


@dataclass(frozen=True)
class Edges:
    """Edge strength per slice under a Hann window, of zero mean and unit norm (zero where a slice has no edge);
    ``steps``: mm between rows and columns."""

    array: FloatArray
    steps: tuple[float, float]


def _edges(volume: Volume) -> Edges:
    """Thinned to about ``EDGE_MM`` / 2: after smoothing, finer voxels say nothing more."""
    _, rows, columns = volume.spacing
    smooth = ndimage.gaussian_filter(np.sqrt(np.maximum(volume.array, 0)), (0, EDGE_MM / rows, EDGE_MM / columns))
    sides = zip((rows, columns), volume.array.shape[1:], strict=True)
    every = [max(1, min(round(EDGE_MM / 2 / step), size // 2)) for step, size in sides]
    thinned = smooth[:, :: every[0], :: every[1]]
    down, across = np.gradient(thinned, axis=(1, 2))
    edge = np.hypot(down, across)
    edge = np.minimum(edge, np.percentile(edge, STRONGEST, axis=(1, 2), keepdims=True)).astype(np.float32)
    size = edge.shape[1:]
    window = (np.hanning(size[0] + 2)[1:-1, None] * np.hanning(size[1] + 2)[1:-1]).astype(np.float32)
    mean = (edge * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    centred = (edge - mean) * window
    norm = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    even = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > NO_EDGE)
    return Edges(even, (rows * every[0], columns * every[1]))


def _correlation(one: FloatArray, other: FloatArray, steps: tuple[float, float]) -> Floats:
    """Cross-correlation per slice for displacements up to ``SEARCH_MM`` either way, none in the middle."""
    correlation = fft.irfft2(fft.rfft2(other) * np.conj(fft.rfft2(one)), s=one.shape[1:])
    sizes = zip(steps, one.shape[1:], strict=True)
    reach = [min(int(SEARCH_MM / step) + 1, (size - 1) // 2) for step, size in sizes]
    return np.asarray(np.roll(correlation, reach, axis=(1, 2))[:, : 2 * reach[0] + 1, : 2 * reach[1] + 1])


def _peaks(planes: Floats, steps: tuple[float, float]) -> tuple[Floats, Floats]:
    """Per plane: displacement, (planes, 2) mm along rows and columns, and the correlation there."""
    shifts = np.zeros((len(planes), 2))
    middle = np.array(planes.shape[1:]) // 2
    for index, plane in enumerate(planes):
        row, column = (int(at) for at in np.unravel_index(int(plane.argmax()), plane.shape))
        offset = (_vertex(plane[:, column], row), _vertex(plane[row], column))
        shifts[index] = (np.array([row, column]) - middle + offset) * steps
    return shifts, planes.max(axis=(1, 2))


def _vertex(line: Floats, peak: int) -> float:
    """Sub-voxel offset of a maximum: the vertex of the parabola through it and its neighbours."""
    if not 0 < peak < len(line) - 1:
        return 0.0
    before, at, after = line[peak - 1 : peak + 2]
    bend = before - 2 * at + after
    return 0.0 if bend >= 0 else float(0.5 * (before - after) / bend)
