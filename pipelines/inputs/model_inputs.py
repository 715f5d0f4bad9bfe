"""A loaded exam to what every model reads: bias-corrected, aligned, with its maps; made once per exam.

Weighted images are corrected by N4; ADC, D and K never are: they are fitted to the images as acquired, in which a
receive field cancels. The DWI is moved as a whole, by its geometry, so that nothing is interpolated twice. Arrays are
rounded to half precision, as the cache keeps them: an exam from the cache gives the same numbers as a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from pipelines.bias.n4 import N4Settings, correct_bias
from pipelines.contract import (
    AdcMap,
    Alignment,
    Code,
    Exam,
    FloatArray,
    InputUnfit,
    ModelInputs,
    ScalarMap,
    Statement,
    Volume,
)
from pipelines.diffusion.adc import fit_adc
from pipelines.diffusion.kurtosis import fit_kurtosis
from pipelines.registration.register import align_dwi

VERSION = 1
"""Raised whenever the code below, or what it calls, makes other numbers from the same exam."""
HALF = np.float16
PLACE, MODEL_ADC, KURTOSIS = "T2 and DWI", "ADC of the models", "kurtosis"
OF_DIFFUSION = {PLACE, MODEL_ADC, KURTOSIS}
"""Names of the parameters that say nothing where the diffusion images are refused."""


@dataclass(frozen=True)
class Preprocessing:
    """What is done to an exam. ``bias`` None and ``align`` False leave a step out, for comparison.

    ``b_limit``: highest b-value (s/mm²) that models see and their ADC uses; an ADC depends on its b-set.
    """

    bias: N4Settings | None = field(default_factory=N4Settings)
    align: bool = True
    b_limit: float = 1100.0


DEFAULT = Preprocessing()


def model_inputs(exam: Exam, settings: Preprocessing = DEFAULT, device: torch.device | None = None) -> ModelInputs:
    """What models read of an exam. An exam without usable diffusion has inputs too, and says what is missing."""
    dwi = {b: exam.dwi[b] for b in sorted(exam.dwi) if b <= settings.b_limit}
    adc, refusal = _adc(exam, dwi, settings.b_limit, device)
    if adc is None:
        dwi = {}
    maps, kurtosis = _kurtosis(exam, device)
    alignment = _alignment(exam) if settings.align and exam.dwi else None
    t2, ce_t1, corrected, bias = _bias_corrected(exam, dwi, settings, device)

    def moved(volume: Volume) -> Volume:
        return volume if alignment is None else alignment.moved(volume)

    return ModelInputs(
        time_point=exam.files.time_point,
        t2=_halved(t2),
        ce_t1=None if ce_t1 is None else _halved(ce_t1),
        dwi={b: moved(_halved(volume)) for b, volume in corrected.items()},
        adc=None if adc is None else moved(_halved(_with_gaps(adc))),
        maps=tuple(replace(found, volume=moved(_halved(found.volume)), r_squared=None) for found in maps),
        alignment=alignment,
        refusal=refusal,
        parameters=(
            ("bias correction", bias),
            (PLACE, "no DWI" if not exam.dwi else "not compared" if alignment is None else alignment.how),
            (MODEL_ADC, "none" if adc is None else adc.fit),
            (KURTOSIS, kurtosis),
        ),
    )


def inputs_of(exam: Exam) -> ModelInputs:
    """The exam's model inputs: those it was loaded with, else made now."""
    return exam.inputs if exam.inputs is not None else model_inputs(exam)


def _adc(
    exam: Exam, dwi: Mapping[float, Volume], b_limit: float, device: torch.device | None
) -> tuple[AdcMap | None, Statement | None]:
    """The ADC of the b-values that models see, or why there is none."""
    name = f"the {exam.files.time_point} exam"
    if len(dwi) < 2:
        have = ", ".join(f"{b:g}" for b in sorted(exam.dwi)) or "none"
        reason = f"{name} lacks diffusion-weighted images at two b-values up to {b_limit:g} s/mm² (it has: {have})"
        return None, Statement(Code.NO_DIFFUSION, f"{exam.files.time_point} DWI", reason)
    try:
        return fit_adc(dwi, device, every_b=True), None
    except InputUnfit as unfit:
        return None, Statement(unfit.code, f"{exam.files.time_point} DWI", f"{name}: {unfit.reason}")


def _kurtosis(exam: Exam, device: torch.device | None) -> tuple[tuple[ScalarMap, ...], str]:
    """D and K, and how they were made or why they were not: few protocols allow them, so it is no refusal."""
    if exam.maps:
        return exam.maps, exam.maps[0].how
    if not exam.dwi:
        return (), "no DWI"
    try:
        maps = fit_kurtosis(exam.dwi, device)
    except InputUnfit as unfit:
        return (), f"not estimable: {unfit.reason}"
    return maps, maps[0].how


def _alignment(exam: Exam) -> Alignment:
    try:
        return align_dwi(exam.t2, exam.dwi, exam.phase_axis)
    except InputUnfit as unfit:
        return Alignment(np.eye(4), False, 0.0, f"not moved: {unfit.reason}")


def _bias_corrected(
    exam: Exam, dwi: Mapping[float, Volume], settings: Preprocessing, device: torch.device | None
) -> tuple[Volume, Volume | None, dict[float, Volume], str]:
    """T2, CE-T1 and DWI without their receive fields, and in words what was done.

    All b-values are divided by the field of the lowest: they share their coils, and their ratio must not change.
    """
    if settings.bias is None:
        return exam.t2, exam.ce_t1, dict(dwi), "none"
    lowest = [dwi[min(dwi)]] if dwi else []
    enhanced = [] if exam.ce_t1 is None else [exam.ce_t1]
    found = correct_bias([exam.t2, *enhanced, *lowest], None, settings.bias, device)
    t2, others = found[0].corrected, found[1:]
    ce_t1 = others[0].corrected if exam.ce_t1 is not None else None
    corrected = {b: volume.like(volume.array / others[-1].field) for b, volume in dwi.items()}
    return t2, ce_t1, corrected, found[0].how


def _with_gaps(adc: AdcMap) -> Volume:
    gaps: FloatArray = np.where(adc.valid, adc.volume.array, np.nan).astype(np.float32)
    return adc.volume.like(gaps)


def _halved(volume: Volume) -> Volume:
    """The volume as half precision holds it, relative to its largest value, so that none overflows."""
    scale = half_scale(volume.array)
    return volume.like((volume.array / scale).astype(HALF).astype(np.float32) * scale)


def half_scale(array: FloatArray) -> np.float32:
    """What an array is divided by before it is kept in half precision; a power of two, so that it costs nothing."""
    largest = float(np.nanmax(np.abs(array), initial=0.0))
    return np.float32(2.0 ** np.ceil(np.log2(largest / 1024.0)) if largest > 0 else 1.0)
