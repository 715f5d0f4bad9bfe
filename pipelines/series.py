"""Headers of one series to its role: pure, and the same for node, training and command line.

The rules abstain rather than guess: a series gets a role only where its attributes agree, and every refusal has a code
and a reason. Order matters: what a series *cannot* be (localizer, calculated, derived) is asked before what it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import (
    UID,
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from pipelines import evidence as terms
from pipelines.attributes import number, text
from pipelines.b_values import nominal
from pipelines.contract import Code, InputUnfit, Role, SeriesRole
from pipelines.evidence import Evidence, Plane, evidence
from pipelines.files import SeriesHeaders
from pipelines.frames import Frame, frames
from pipelines.stack import Stack, stack

MR_CLASSES = {MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage}
TRACE = {"TRACEW", "TRACE", "ISO", "ISOTROPIC"}
MAPS = {"FA", "EADC", "TENSOR", "TENSOR_B0", "MPR", "MIP", "MINIP", "PROJECTION IMAGE", "SUBTRACTION", "CALC_BVALUE"}
T2_ECHO_TIME_MS = (70.0, 200.0)
T2_REPETITION_TIME_MS = 2000.0
T1_SPIN_ECHO_MS = (30.0, 1200.0)
T1_GRADIENT_ECHO_MS = 10.0
LOCALIZER_STEP_MM = 10.0
SIEMENS_B_RANGE = re.compile(r"ep_?b(\d+)_(\d+)")
T2_ROLES = {Plane.AXIAL: Role.T2_AXIAL, Plane.SAGITTAL: Role.T2_SAGITTAL, Plane.CORONAL: Role.T2_CORONAL}


@dataclass(frozen=True)
class Verdict:
    """What one rule says."""

    role: Role
    reason: str
    confidence: float = 0.9
    code: Code | None = None
    b_values: tuple[float, ...] = ()


def classify(series: SeriesHeaders) -> SeriesRole:
    """The role of a series with its b-values, a confidence in [0, 1] and the reason; OTHER with a code if refused."""
    first = series.headers[0]
    verdict = _not_mr(series.headers)
    if verdict is None:
        found = frames(series.headers)
        seen = evidence(series.headers, found)
        verdict = _with_geometry(_contrast(seen), seen, found)
    return SeriesRole(
        series_uid=series.series_uid,
        study_uid=series.study_uid,
        description=text(first, "SeriesDescription") or text(first, "ProtocolName"),
        modality=text(first, "Modality"),
        role=verdict.role,
        b_values=verdict.b_values,
        confidence=verdict.confidence,
        reason=verdict.reason,
        code=verdict.code,
    )


def b_stacks(found: Sequence[Frame]) -> dict[float, Stack]:
    """The stack of each nominal b-value, lowest first.

    Raises InputUnfit: B_VALUE_UNKNOWN, SLICE_MISSING where b-values differ in their slice positions, and what
    :func:`pipelines.stack.stack` raises.
    """
    unknown = sum(frame.b_value is None for frame in found)
    if unknown:
        raise InputUnfit(Code.B_VALUE_UNKNOWN, f"{unknown} of {len(found)} images state no b-value")
    named = nominal(frame.b_value for frame in found if frame.b_value is not None)
    groups: dict[float, list[Frame]] = defaultdict(list)
    for frame in found:
        if frame.b_value is not None:
            groups[named[frame.b_value]].append(frame)
    stacks = {b: stack(groups[b], repeats=True) for b in sorted(groups)}
    lowest, *others = stacks
    for b in others:
        if not stacks[lowest].same_positions(stacks[b]):
            raise InputUnfit(Code.SLICE_MISSING, f"b {b:g} has other slice positions than b {lowest:g}")
    return stacks


def _refuse(code: Code, reason: str, confidence: float = 0.9) -> Verdict:
    return Verdict(Role.OTHER, reason, confidence, code)


def _not_mr(headers: Sequence[Dataset]) -> Verdict | None:
    modality = text(headers[0], "Modality") or "no modality"
    classes = {text(dataset, "SOPClassUID") for dataset in headers}
    if classes <= MR_CLASSES and modality == "MR":
        if all(number(dataset, "Rows") for dataset in headers):
            return None
        return _refuse(Code.NOT_AN_IMAGE, "MR objects without an image matrix", 1.0)
    name = UID(text(headers[0], "SOPClassUID")).name
    if EnhancedMRColorImageStorage in classes or (classes & MR_CLASSES and len(classes) > 1):
        return _refuse(Code.DERIVED_SERIES, f"colour maps, or several kinds of object in one series ({name})", 1.0)
    if "Rows" not in headers[0] or modality in {"SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "REG"}:
        return _refuse(Code.NOT_AN_IMAGE, f"{modality}: {name} is not an acquired image", 1.0)
    return _refuse(Code.NOT_MR, f"{modality}: {name} is not an MR image", 1.0)


def _contrast(seen: Evidence) -> Verdict:
    """The first rule that has something to say."""
    rules: tuple[Callable[[Evidence], Verdict | None], ...] = (
        _localizer, _calculated, _adc, _diffusion, _derived, _other_contrast, _t2, _t1,
    )  # fmt: skip  # one line: the order is what this is about
    for rule in rules:
        if (verdict := rule(seen)) is not None:
            return verdict
    return _refuse(Code.NOT_RECOGNISED, f"no rule fits ({_protocol(seen)})", 0.5)


def _localizer(seen: Evidence) -> Verdict | None:
    if "LOCALIZER" in seen.image_type or terms.LOCALIZER.search(seen.words):
        return _refuse(Code.LOCALIZER, f"localizer, by image type or name ({seen.description!r})", 0.98)
    if terms.REFERENCE.search(seen.words):
        return _refuse(Code.LOCALIZER, f"calibration or reference scan, by name ({seen.description!r})")
    return None


def _calculated(seen: Evidence) -> Verdict | None:
    named = terms.CALCULATED.search(seen.words) and (seen.weighted_b or terms.DIFFUSION.search(seen.words))
    if named or seen.image_type & {"CALC_BVALUE", "SYNTHETIC", "COMPUTED"}:
        return _refuse(Code.DERIVED_SERIES, "calculated b-value: extrapolated from other b-values, not acquired", 0.98)
    measured = SIEMENS_B_RANGE.search(seen.sequence_name)
    outside = measured and not seen.original and "ADC" not in seen.image_type
    if measured and outside and any(b > float(measured.group(2)) for b in seen.weighted_b):
        return _refuse(
            Code.DERIVED_SERIES,
            f"calculated b-value: b {max(seen.weighted_b):g} lies beyond the measured range {measured.group(0)}",
            0.95,
        )
    return None


def _adc(seen: Evidence) -> Verdict | None:
    if terms.NOT_ADC.search(seen.words) or seen.image_type & {"EADC", "EXP_ADC"}:
        return _refuse(Code.DERIVED_SERIES, "exponential ADC, not an ADC map")
    if "ADC" in seen.image_type:
        return Verdict(Role.ADC, "image type says ADC", 0.97)
    if not terms.ADC.search(seen.words) or seen.image_type & TRACE or (seen.original and len(seen.weighted_b) > 1):
        return None
    if seen.original:
        return _refuse(Code.NOT_RECOGNISED, "named ADC, but its image type says original, not derived", 0.5)
    return Verdict(Role.ADC, "derived, and named ADC", 0.85)


def _diffusion(seen: Evidence) -> Verdict | None:
    by_type = bool(seen.image_type & (TRACE | {"DIFFUSION"}))
    by_name = bool(terms.DIFFUSION.search(seen.words)) or "ep_b" in seen.sequence_name
    if not (by_type or by_name or seen.weighted_b):
        return None
    if seen.image_type & MAPS:
        return _refuse(Code.DERIVED_SERIES, f"diffusion map or reformat ({'/'.join(sorted(seen.image_type))})", 0.95)
    if not seen.original and not seen.image_type & TRACE:
        return _refuse(Code.DERIVED_SERIES, "derived from diffusion images, and neither trace nor ADC")
    if seen.image_type & {"PHASE", "P"}:
        return _refuse(Code.DERIVED_SERIES, "phase images, not magnitude")
    if not seen.weighted_b:
        return _refuse(Code.B_VALUE_UNKNOWN, "looks like diffusion, but no image states a b-value above 0")
    agree = by_type + by_name + ("EP" in seen.scanning)
    return Verdict(Role.DWI, "diffusion-weighted: b-values, image type or name", (0.75, 0.85, 0.95, 0.97)[agree])


def _derived(seen: Evidence) -> Verdict | None:
    if not seen.original or seen.image_type & MAPS:
        return _refuse(Code.DERIVED_SERIES, f"derived ({'/'.join(sorted(seen.image_type)) or 'no image type'})")
    if seen.image_type & {"PHASE", "P", "VELOCITY", "B0 MAP"}:
        return _refuse(Code.DERIVED_SERIES, "phase or field map, not magnitude")
    return None


def _other_contrast(seen: Evidence) -> Verdict | None:
    """Contrasts that no system reads, and that resemble one that is read."""
    for pattern, what in (
        (terms.PROTON_DENSITY, "proton density weighted"),
        (terms.SINGLE_SHOT, "single-shot T2: not high resolution"),
        (terms.HYDROGRAPHY, "fluid-only (MRCP, urography, myelography)"),
        (terms.INVERSION, "inversion recovery (STIR, TIRM, FLAIR)"),
    ):
        if pattern.search(seen.words):
            return _refuse(Code.NOT_RECOGNISED, f"{what}, by name ({seen.description!r})")
    return None


def _t2(seen: Evidence) -> Verdict | None:
    te, tr = seen.echo_time, seen.repetition_time
    named = bool(terms.T2.search(seen.words))
    physics = seen.spin_echo and te is not None and tr is not None and tr >= T2_REPETITION_TIME_MS
    if not physics or te is None or te < T2_ECHO_TIME_MS[0]:
        return _refuse(Code.NOT_RECOGNISED, f"named T2, but not by its timing ({_protocol(seen)})") if named else None
    if te > T2_ECHO_TIME_MS[1] or terms.T1.search(seen.words):
        return _refuse(Code.NOT_RECOGNISED, f"timing and name disagree, or TE too long for T2 ({_protocol(seen)})")
    if seen.plane is None:
        return _refuse(Code.NO_GEOMETRY, "looks like T2, but no image orientation")
    fat = ", fat suppressed" if seen.fat_suppressed else ""
    confidence = (0.97 if named else 0.85) - (0.15 if fat else 0.0)
    return Verdict(T2_ROLES[seen.plane], f"{seen.plane} T2{fat} by timing ({_protocol(seen)})", confidence)


def _t1(seen: Evidence) -> Verdict | None:
    te, tr = seen.echo_time, seen.repetition_time
    named = bool(terms.T1.search(seen.words))
    timed = te is not None and tr is not None and te <= T1_SPIN_ECHO_MS[0] and tr <= T1_SPIN_ECHO_MS[1]
    spin = seen.spin_echo and timed
    gradient = named and "EP" not in seen.scanning and te is not None and te <= T1_GRADIENT_ECHO_MS
    if not (spin or gradient):
        return _refuse(Code.NOT_RECOGNISED, f"named T1, but not by its timing ({_protocol(seen)})") if named else None
    enhanced, unenhanced = bool(terms.ENHANCED.search(seen.words)), bool(terms.UNENHANCED.search(seen.words))
    if unenhanced and seen.agent:
        return _refuse(Code.NOT_RECOGNISED, f"T1 named unenhanced, with a contrast agent in its header ({seen.agent})")
    if unenhanced or not (enhanced or seen.agent):
        return Verdict(Role.T1, f"T1 without sign of contrast agent ({_protocol(seen)})", 0.85 if named else 0.75)
    sign = f"agent {seen.agent!r}" if seen.agent else "name"
    return Verdict(Role.CE_T1, f"contrast-enhanced T1, by {sign}", 0.95 if enhanced and seen.agent else 0.8)


def _with_geometry(verdict: Verdict, seen: Evidence, found: Sequence[Frame]) -> Verdict:
    """The verdict, unless the series is no regular stack of slices."""
    if verdict.role is Role.OTHER:
        return verdict
    b_values: tuple[float, ...] = ()
    try:
        if verdict.role is Role.DWI:
            stacks = b_stacks(found)
            b_values, geometry = tuple(stacks), next(iter(stacks.values()))
        else:
            geometry = stack(found)
    except InputUnfit as unfit:
        return _refuse(unfit.code, f"otherwise {_name(verdict.role)}: {unfit.reason}")
    step = float(sum(part**2 for part in geometry.affine[:3, 0]) ** 0.5)
    if step > LOCALIZER_STEP_MM:
        return _refuse(Code.LOCALIZER, f"otherwise {_name(verdict.role)}: slices {step:.1f} mm apart, a localizer")
    shown = f", b {'/'.join(f'{b:g}' for b in b_values)}" if b_values else ""
    return Verdict(verdict.role, f"{verdict.reason}{shown}", verdict.confidence, None, b_values)


def _name(role: Role) -> str:
    return f"looks like {role.replace('_', ' ')}"


def _protocol(seen: Evidence) -> str:
    te = "no TE" if seen.echo_time is None else f"TE {seen.echo_time:g} ms"
    tr = "no TR" if seen.repetition_time is None else f"TR {seen.repetition_time:g} ms"
    return f"{'/'.join(sorted(seen.scanning)) or 'no scanning sequence'}, {te}, {tr}"
