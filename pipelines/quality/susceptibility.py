"""Gas in the rectum beside the tumour: signal that T2 shows and the DWI has lost or pushed elsewhere.

Echo-planar images are displaced along the phase-encode axis where gas bends the field; the tissue there turns dark, and
its signal piles up beside it (Jezzard and Balaban, Magn Reson Med 1995; 34:65). Fat is dark in DWI as well, so the loss
is only counted inside the tumour's mask: without one there is no gas score.
"""

from __future__ import annotations

import numpy as np

from pipelines.contract import Code, Exam, Role, Volume
from pipelines.quality import limits
from pipelines.quality.finding import Assessment
from pipelines.volumes.resample import coverage, mask_onto, onto

NEEDED_VOXELS = 10
AIR_PERCENTILE = 10.0  # of a pelvic DWI, air and suppressed fat are more than this
LIKE_AIR = 2.0  # times that percentile
DARKEST = 0.2  # of the 95th percentile; what is brighter is tissue: a small field holds no air to compare with
DARK_ON_T2 = 0.25  # of the tumour's median: the mask takes in gas there, no tissue is missing
PILED_UP, BRIGHT_ON_T2 = 2.5, 1.5  # of the tumour's medians; fluid is bright on both


def assess_gas(exam: Exam, made: Assessment) -> None:
    """Warns, or refuses the DWI, by the share of the tumour whose signal at the lowest b is lost or piled up."""
    if not exam.dwi:
        return
    low = exam.dwi[min(exam.dwi)]
    if exam.inputs is not None and exam.inputs.alignment is not None:
        low = exam.inputs.alignment.moved(low)  # else gas of the lumen, moved by EPI as a whole, would lie in the mask
    share = distorted_share(exam, low)
    made.measured(
        "DWI gas score", "not measurable" if share is None else f"{share / limits.GAS.refusal:.2f} (1: refused)"
    )
    if share is not None:
        made.judge(
            Code.GAS_SUSPECTED,
            Role.DWI,
            share,
            limits.GAS,
            f"in {share:.0%} of the tumour the DWI at its lowest b-value is as dark as air, or piled up, where the T2 "
            "shows tissue: gas or metal close by displaces it",
        )


def distorted_share(exam: Exam, low: Volume) -> float | None:
    """Of the tumour's voxels on the grid of ``low``; None without a mask, with hardly a voxel of it, or without air.

    Without air or suppressed fat in the field there is no level to call dark. Where a scanner sets air to 0, only 0 is.
    """
    if exam.target is None:
        return None
    seen = mask_onto(exam.target.array, exam.t2, low) & coverage(exam.t2, low)
    t2 = onto(exam.t2, low).array
    if seen.sum() < NEEDED_VOXELS:
        return None
    seen &= t2 > DARK_ON_T2 * np.median(t2[seen])
    signal = low.array[seen]
    air, bright = (float(np.percentile(low.array, percentile)) for percentile in (AIR_PERCENTILE, 95.0))
    dark = LIKE_AIR * air
    if signal.size < NEEDED_VOXELS or dark > DARKEST * bright or bright <= 0:
        return None
    lost = signal <= dark
    tissue = signal[~lost]
    if not tissue.size:
        return 1.0
    piled = (signal > PILED_UP * np.median(tissue)) & (t2[seen] < BRIGHT_ON_T2 * np.median(t2[seen]))
    return float((lost | piled).mean())
