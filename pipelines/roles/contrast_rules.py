"""The rules by which evidence becomes a role: each says what a series is, what it cannot be, or nothing.

Order matters: what a series *cannot* be (localizer, colour map, subtraction, calculated, derived) is asked before what
it is, and where name and physics contradict each other there is no role. Timing after ESGAR's and the vendors' usual
protocols: T2 TE ≥ 70 ms, TR ≥ 2000 ms; T1 spin echo TE ≤ 30 ms, TR ≤ 1200 ms; T1 gradient echo TE ≤ 10 ms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.contract import Code, Role
from pipelines.roles import series_words as terms
from pipelines.roles.evidence import Evidence, Plane

TRACE = frozenset({"TRACEW", "TRACE", "ISO", "ISOTROPIC", "COMBINED"})
MAPS = frozenset({"ADC", "EADC", "EXP_ADC", "FA", "MD", "TENSOR", "TENSOR_B0", "CALC_BVALUE"})
SUBTRACTED = frozenset({"SUBTRACTION", "SUB", "SUBTRACT"})
REFORMATS = frozenset(
    {"MPR", "MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "REFORMATTED", "RESAMPLED", "CSA MPR", "CSA MIP"}
    | {"VOLUME_RENDER", "CURVED_MPR", "STACK_REFORMAT"}
)
NOT_MAGNITUDE = frozenset({"PHASE", "P", "VELOCITY", "B0 MAP", "PHASE MAP", "REAL", "IMAGINARY"})
T2_ECHO_TIME_MS = (70.0, 200.0)
T2_3D_ECHO_TIME_MS = (60.0, 320.0)  # the effective echo time of long trains with changing flip angles
T2_REPETITION_TIME_MS = 2000.0
T2_3D_REPETITION_TIME_MS = 1000.0
SINGLE_SHOT_ECHOES = 80
T1_SPIN_ECHO_MS = (30.0, 1200.0)
T1_GRADIENT_ECHO_MS = 10.0
SIEMENS_B_RANGE = re.compile(r"ep_?b(\d+)_(\d+)")
# Acquisition Contrast (0008,9209), PS3.3 C.8.13.3.1.1: those that no role reads.
OTHER_CONTRASTS = {
    "FLOW_ENCODED": "flow encoded",
    "FLUID_ATTENUATED": "fluid attenuated",
    "PERFUSION": "perfusion",
    "PROTON_DENSITY": "proton density weighted",
    "STIR": "inversion recovery (STIR)",
    "TAGGING": "tagged",
    "T2_STAR": "T2* weighted",
    "TOF": "time of flight",
}
T2_ROLES = {Plane.AXIAL: Role.T2_AXIAL, Plane.SAGITTAL: Role.T2_SAGITTAL, Plane.CORONAL: Role.T2_CORONAL}


@dataclass(frozen=True)
class Verdict:
    """What one rule says."""

    role: Role
    reason: str
    confidence: float = 0.9
    code: Code | None = None
    b_values: tuple[float, ...] = ()


def contrast(seen: Evidence) -> Verdict:
    """The first rule that has something to say; OTHER with a code where none has."""
    rules: tuple[Callable[[Evidence], Verdict | None], ...] = (
        _localizer, _colour, _subtraction, _reformatted, _calculated, _adc, _diffusion, _dynamic, _dixon, _derived,
        _other_contrast, _t2, _t1,
    )  # fmt: skip  # the order is what this is about
    for rule in rules:
        if (verdict := rule(seen)) is not None:
            return verdict
    return refuse(Code.NOT_RECOGNISED, f"no rule fits ({_protocol(seen)})", 0.5)


def refuse(code: Code, reason: str, confidence: float = 0.9) -> Verdict:
    return Verdict(Role.OTHER, reason, confidence, code)


def unweighted(before: str = "", confidence: float = 0.8) -> Verdict:
    """Refused, but with its b-value: the other series of its acquisition may hold the rest."""
    reason = f"{before}unweighted images (b 0) alone: they need the series with the higher b-values"
    return Verdict(Role.OTHER, reason, confidence, Code.B_VALUES_UNFIT, (0.0,))


def looks_like_t1(seen: Evidence) -> bool:
    """Whether timing, or name and gradient echo, make it a T1, with or without agent."""
    te, tr = seen.echo_time, seen.repetition_time
    timed = te is not None and tr is not None and te <= T1_SPIN_ECHO_MS[0] and tr <= T1_SPIN_ECHO_MS[1]
    gradient = "EP" not in seen.scanning and te is not None and te <= T1_GRADIENT_ECHO_MS
    return (seen.spin_echo and timed) or (gradient and _named_t1(seen))


def _named_t1(seen: Evidence) -> bool:
    return seen.stated_contrast == "T1" or bool(terms.T1.search(seen.words))


def _named_t2(seen: Evidence) -> bool:
    return seen.stated_contrast == "T2" or bool(terms.T2.search(seen.words))


def _localizer(seen: Evidence) -> Verdict | None:
    if "LOCALIZER" in seen.image_type or terms.LOCALIZER.search(seen.words):
        return refuse(Code.LOCALIZER, f"localizer, by image type or name ({seen.description!r})", 0.98)
    if terms.REFERENCE.search(seen.words):
        return refuse(Code.LOCALIZER, f"calibration or reference scan, by name ({seen.description!r})")
    return None


def _colour(seen: Evidence) -> Verdict | None:
    return refuse(Code.COLOUR_MAP, f"colour pictures ({_types(seen)})", 1.0) if seen.colour else None


def _subtraction(seen: Evidence) -> Verdict | None:
    named = terms.SUBTRACTION.search(seen.words)
    if not (seen.image_type & SUBTRACTED or named):
        return None
    by = "image type" if seen.image_type & SUBTRACTED else "name"
    return refuse(Code.SUBTRACTION, f"subtraction of two images, by {by} ({seen.description!r})", 0.95)


def _reformatted(seen: Evidence) -> Verdict | None:
    named = not seen.original and terms.REFORMATTED.search(seen.words)
    if not (seen.image_type & REFORMATS or named):
        return None
    return refuse(Code.REFORMATTED, f"reformat or projection of other images ({_types(seen)})", 0.95)


def _calculated(seen: Evidence) -> Verdict | None:
    adc = "ADC" in seen.image_type or _named_adc(seen)
    diffusion = seen.weighted_b or terms.DIFFUSION.search(seen.words)
    if (terms.CALCULATED.search(seen.words) and diffusion and not adc) or seen.image_type & {
        "CALC_BVALUE",
        "SYNTHETIC",
        "COMPUTED",
    }:
        reason = "calculated b-value: extrapolated from other b-values, not acquired"
        return refuse(Code.CALCULATED_B_VALUE, reason, 0.98)
    measured = SIEMENS_B_RANGE.search(seen.sequence_name)
    outside = measured and not seen.original and "ADC" not in seen.image_type
    if measured and outside and any(b > float(measured.group(2)) for b in seen.weighted_b):
        return refuse(
            Code.CALCULATED_B_VALUE,
            f"calculated b-value: b {max(seen.weighted_b):g} lies beyond the measured range {measured.group(0)}",
            0.95,
        )
    return None


def _adc(seen: Evidence) -> Verdict | None:
    if terms.NOT_ADC.search(seen.words) or seen.image_type & {"EADC", "EXP_ADC"}:
        return refuse(Code.DERIVED_SERIES, "exponential ADC, not an ADC map")
    if any("ADC" in kind for kind in seen.types):
        if all("ADC" in kind for kind in seen.types):
            return Verdict(Role.ADC, "image type says ADC", 0.97)
        return None  # a map beside its diffusion images
    acquired = seen.original and (len(seen.weighted_b) > 1 or 0.0 in seen.b_values)
    if not _named_adc(seen) or _trace(seen) or acquired:
        return None
    if seen.original:
        return refuse(Code.NOT_RECOGNISED, "named ADC, but its image type says original, not derived", 0.5)
    return Verdict(Role.ADC, "derived, and named ADC", 0.85)


def _diffusion(seen: Evidence) -> Verdict | None:
    by_type = bool(seen.image_type & (TRACE | {"DIFFUSION"})) or seen.stated_contrast == "DIFFUSION"
    by_name = bool(terms.DIFFUSION.search(seen.words)) or "ep_b" in seen.sequence_name
    if not (by_type or by_name or seen.weighted_b):
        return None
    acquired = frozenset(kind for kind in seen.types if not MAPS & set(kind))
    if not acquired or seen.image_type & {"FA", "MD", "TENSOR", "TENSOR_B0"}:
        return refuse(Code.DERIVED_SERIES, f"map computed from diffusion images ({_types(seen)})", 0.95)
    if not all(kind[:1] == ("ORIGINAL",) or TRACE & set(kind) for kind in acquired) and not seen.isotropic:
        return refuse(Code.DERIVED_SERIES, "derived from diffusion images, and neither trace nor ADC")
    if seen.image_type & NOT_MAGNITUDE:
        return refuse(Code.DERIVED_SERIES, "phase, real or imaginary images, not magnitude")
    if not seen.weighted_b:
        if seen.b_values == {0.0}:
            return unweighted()
        return refuse(Code.B_VALUE_UNKNOWN, "looks like diffusion, but no image states a b-value above 0")
    agree = by_type + by_name + ("EP" in seen.scanning)
    return Verdict(Role.DWI, "diffusion-weighted: b-values, image type or name", (0.75, 0.85, 0.95, 0.97)[agree])


def _dynamic(seen: Evidence) -> Verdict | None:
    found, counted = seen.temporal
    spin = seen.spin_echo and (seen.echo_time or 0.0) >= T2_ECHO_TIME_MS[0]
    if found > 1:
        return refuse(Code.DYNAMIC_SERIES, f"the same slices at {found} times: a dynamic series", 0.95)
    if counted > 1 and not spin:
        return refuse(Code.DYNAMIC_SERIES, f"one of {counted} phases of a dynamic series, by its header")
    if terms.DYNAMIC.search(seen.words) and not spin:
        return refuse(Code.DYNAMIC_SERIES, f"a dynamic series or one of its phases, by name ({seen.description!r})")
    return None


def _dixon(seen: Evidence) -> Verdict | None:
    if seen.dixon in {"fat", "opposed-phase"}:
        return refuse(Code.DERIVED_SERIES, f"the {seen.dixon} image of a Dixon acquisition")
    return None


def _derived(seen: Evidence) -> Verdict | None:
    if seen.image_type & NOT_MAGNITUDE:
        return refuse(Code.DERIVED_SERIES, "phase, real, imaginary or field map, not magnitude")
    if not (seen.original or seen.dixon in {"water", "in-phase"}) or seen.image_type & MAPS:
        return refuse(Code.DERIVED_SERIES, f"derived ({_types(seen)})")
    return None


def _other_contrast(seen: Evidence) -> Verdict | None:
    """Contrasts that no system reads, and that resemble one that is read."""
    for pattern, what in (
        (terms.PROTON_DENSITY, "proton density weighted"),
        (terms.SINGLE_SHOT, "single-shot T2: not high resolution"),
        (terms.HYDROGRAPHY, "fluid-only (MRCP, urography, myelography)"),
        (terms.INVERSION, "inversion recovery (STIR, TIRM, FLAIR)"),
        (terms.PARAMETER_MAP, "measurement of relaxation times, not a weighted image"),
    ):
        if pattern.search(seen.words):
            return refuse(Code.NOT_RECOGNISED, f"{what}, by name ({seen.description!r})")
    stated = OTHER_CONTRASTS.get(seen.stated_contrast)
    return None if stated is None else refuse(Code.NOT_RECOGNISED, f"{stated}, by the contrast that its header states")


def _t2(seen: Evidence) -> Verdict | None:
    te, tr = seen.echo_time, seen.repetition_time
    named = _named_t2(seen)
    shortest, longest = T2_3D_ECHO_TIME_MS if seen.three_dimensional and named else T2_ECHO_TIME_MS
    repetition = T2_3D_REPETITION_TIME_MS if seen.three_dimensional and named else T2_REPETITION_TIME_MS
    # Radial and propeller scans call themselves research mode; without any sequence the name has to stand in for it.
    unsaid = named and not seen.scanning - {"RM"}
    physics = (seen.spin_echo or unsaid) and te is not None and tr is not None and tr >= repetition
    if not physics or te is None or te < shortest:
        return refuse(Code.NOT_RECOGNISED, f"named T2, but not by its timing ({_protocol(seen)})") if named else None
    if te > longest or _named_t1(seen):
        return refuse(Code.NOT_RECOGNISED, f"timing and name disagree, or TE too long for T2 ({_protocol(seen)})")
    if (seen.echo_train or 0) >= SINGLE_SHOT_ECHOES and not seen.three_dimensional:
        return refuse(Code.NOT_RECOGNISED, f"single-shot T2, by its {seen.echo_train:g} echoes: not high resolution")
    if seen.plane is None:
        return refuse(Code.NO_GEOMETRY, "looks like T2, but no image orientation")
    suppressed = seen.fat_suppressed or seen.dixon == "water"
    confidence = (0.97 if named else 0.85) - (0.15 if suppressed else 0.0) - (0.15 if unsaid else 0.0)
    fat = ", fat suppressed" if suppressed else ""
    return Verdict(T2_ROLES[seen.plane], f"{seen.plane} T2{fat} by timing ({_protocol(seen)})", confidence)


def _t1(seen: Evidence) -> Verdict | None:
    named = _named_t1(seen)
    if not looks_like_t1(seen):
        return refuse(Code.NOT_RECOGNISED, f"named T1, but not by its timing ({_protocol(seen)})") if named else None
    sign = seen.enhancement
    if sign == "both":
        return refuse(
            Code.NOT_RECOGNISED,
            f"T1 named both before and after contrast agent, or not clearly one ({seen.description!r})",
        )
    if sign == "unenhanced" and seen.agent and seen.injected is not False:
        return refuse(Code.NOT_RECOGNISED, f"T1 named unenhanced, with a contrast agent in its header ({seen.agent})")
    if sign == "enhanced" and seen.injected is False:
        return refuse(Code.NOT_RECOGNISED, "T1 named enhanced, but acquired before the injection, by its header")
    if seen.injected is False:
        return Verdict(Role.T1, f"T1 acquired before the injection of {seen.agent!r} ({_protocol(seen)})", 0.9)
    if sign == "unenhanced" or not (sign or seen.agent):
        confidence = 0.9 if sign else 0.85 if named else 0.75
        return Verdict(Role.T1, f"T1 without sign of contrast agent ({_protocol(seen)})", confidence)
    by = f"agent {seen.agent!r}" if seen.agent else "name"
    confidence = 0.95 if seen.agent and (sign or seen.injected) else 0.85 if sign else 0.75
    return Verdict(Role.CE_T1, f"contrast-enhanced T1, by {by}", confidence)


def _named_adc(seen: Evidence) -> bool:
    """Whether the name is that of a map: "DWI/ADC b1000" is as likely that of the image beside it."""
    image = terms.DIFFUSION.search(seen.words) and terms.ONE_B.search(seen.words)
    return bool(terms.ADC.search(seen.words)) and (not image or bool(terms.ADC_UNIT.search(seen.words)))


def _trace(seen: Evidence) -> bool:
    return bool(seen.image_type & TRACE) or seen.isotropic


def _types(seen: Evidence) -> str:
    return "/".join(sorted(seen.image_type)) or "no image type"


def _protocol(seen: Evidence) -> str:
    te = "no TE" if seen.echo_time is None else f"TE {seen.echo_time:g} ms"
    tr = "no TR" if seen.repetition_time is None else f"TR {seen.repetition_time:g} ms"
    return f"{'/'.join(sorted(seen.scanning)) or 'no scanning sequence'}, {te}, {tr}"
