"""Headers of one series to its role: pure, and the same for node, training and command line.

The rules abstain rather than guess: a series gets a role only where its attributes agree, and every refusal has a code
and a reason. What the other series of the exam add to it is said in :mod:`pipelines.roles.study_roles`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pydicom import Dataset
from pydicom.uid import (
    UID,
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from pipelines.contract import Code, InputUnfit, Role, SeriesRole
from pipelines.headers.attributes import number, text
from pipelines.headers.b_values import nominal
from pipelines.headers.files import SeriesHeaders
from pipelines.headers.frames import Frame, frames
from pipelines.roles.contrast_rules import MAPS, Verdict, contrast, refuse, unweighted
from pipelines.roles.evidence import Evidence, Plane, evidence
from pipelines.roles.site_rules import SiteRule, site_rule
from pipelines.volumes.stack import Stack, stack

MR_CLASSES = {MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage}
NOT_IMAGES = {"SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "REG"}
LOCALIZER_STEP_MM = 10.0
PLANES = {Role.T2_AXIAL: Plane.AXIAL, Role.T2_SAGITTAL: Plane.SAGITTAL, Role.T2_CORONAL: Plane.CORONAL}


def classify(series: SeriesHeaders, rules: Sequence[SiteRule] = ()) -> SeriesRole:
    """The role of a series with its b-values, a confidence in [0, 1] and the reason; OTHER with a code if refused.

    ``rules``: the site's own; the first that matches decides the role, its geometry and b-values stay what they are.
    """
    series = mr_images(series)
    first = series.headers[0]
    verdict = _not_mr(series.headers)
    if verdict is None:
        found = frames(series.headers)
        seen = evidence(series.headers, found)
        rule = site_rule(rules, first)
        verdict = contrast(seen) if rule is None else _ruled(rule, seen)
        verdict = _with_geometry(verdict, seen, found)
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


def mr_images(series: SeriesHeaders) -> SeriesHeaders:
    """The series without what is stored beside its images: Philips puts raw and private objects into every series."""
    kept = [index for index, header in enumerate(series.headers) if _is_mr_image(header)]
    if not kept or len(kept) == len(series.headers):
        return series
    headers, paths = tuple(series.headers[i] for i in kept), tuple(series.paths[i] for i in kept)
    return replace(series, headers=headers, paths=paths)


def b_stacks(found: Sequence[Frame]) -> dict[float, Stack]:
    """The stack of each nominal b-value, lowest first; maps stored beside their diffusion images are left out.

    Raises InputUnfit: B_VALUE_UNKNOWN, SLICE_MISSING where b-values differ in their slice positions, and what
    :func:`pipelines.volumes.stack.stack` raises.
    """
    acquired = [frame for frame in found if not MAPS & set(frame.image_type)] or list(found)
    unknown = sum(frame.b_value is None for frame in acquired)
    if unknown:
        raise InputUnfit(Code.B_VALUE_UNKNOWN, f"{unknown} of {len(acquired)} images state no b-value")
    named = nominal(frame.b_value for frame in acquired if frame.b_value is not None)
    groups: dict[float, list[Frame]] = defaultdict(list)
    for frame in acquired:
        if frame.b_value is not None:
            groups[named[frame.b_value]].append(frame)
    stacks = {b: stack(groups[b], repeats=True) for b in sorted(groups)}
    lowest, *others = stacks
    for b in others:
        if not stacks[lowest].same_positions(stacks[b]):
            raise InputUnfit(Code.SLICE_MISSING, f"b {b:g} has other slice positions than b {lowest:g}")
    return stacks


def _is_mr_image(header: Dataset) -> bool:
    return text(header, "SOPClassUID") in MR_CLASSES and text(header, "Modality") == "MR" and "Rows" in header


def _not_mr(headers: Sequence[Dataset]) -> Verdict | None:
    modality = text(headers[0], "Modality") or "no modality"
    classes = {text(dataset, "SOPClassUID") for dataset in headers}
    if classes <= MR_CLASSES and modality == "MR":
        if all(number(dataset, "Rows") for dataset in headers):
            return None
        return refuse(Code.NOT_AN_IMAGE, "MR objects without an image matrix", 1.0)
    name = UID(text(headers[0], "SOPClassUID")).name
    coloured = modality == "MR" and text(headers[0], "PhotometricInterpretation").upper() == "RGB"
    if EnhancedMRColorImageStorage in classes or coloured:  # Siemens splits colour maps into secondary captures
        return refuse(Code.COLOUR_MAP, f"colour pictures ({name})", 1.0)
    if "Rows" not in headers[0] or modality in NOT_IMAGES:
        return refuse(Code.NOT_AN_IMAGE, f"{modality}: {name} is not an acquired image", 1.0)
    return refuse(Code.NOT_MR, f"{modality}: {name} is not an MR image", 1.0)


def _ruled(rule: SiteRule, seen: Evidence) -> Verdict:
    if rule.role is Role.OTHER:
        return refuse(Code.SITE_RULE, rule.reason, 1.0)
    wanted = PLANES.get(rule.role)
    if wanted is not None and seen.plane is not wanted:
        return refuse(Code.SITE_RULE, f"{rule.reason}, but its slices are {seen.plane or 'without orientation'}", 1.0)
    if rule.role is Role.DWI and seen.b_values == {0.0}:
        return unweighted(f"{rule.reason}, but it holds ", 1.0)
    if rule.role is Role.DWI and not seen.weighted_b:
        return refuse(Code.B_VALUE_UNKNOWN, f"{rule.reason}, but no image states a b-value above 0", 1.0)
    return Verdict(rule.role, rule.reason, 1.0)


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
        return _unfit(verdict, seen, unfit)
    step = float(sum(part**2 for part in geometry.affine[:3, 0]) ** 0.5)
    if step > LOCALIZER_STEP_MM:
        return refuse(Code.LOCALIZER, f"otherwise {_name(verdict.role)}: slices {step:.1f} mm apart, a localizer")
    shown = f", b {'/'.join(f'{b:g}' for b in b_values)}" if b_values else ""
    assumed = sum(frame.b_assumed for frame in found)
    if b_values and assumed:
        shown += f" ({assumed} images that state none taken as b 0)"
    return replace(verdict, reason=f"{verdict.reason}{shown}", b_values=b_values)


def _unfit(verdict: Verdict, seen: Evidence, unfit: InputUnfit) -> Verdict:
    """Why a series that looks like one of ours cannot be used."""
    reason = f"otherwise {_name(verdict.role)}: {unfit.reason}"
    if unfit.code is Code.DUPLICATE_POSITIONS and verdict.role in {Role.T1, Role.CE_T1} and seen.acquisitions > 1:
        return refuse(Code.DYNAMIC_SERIES, f"{reason} ({seen.acquisitions} acquisitions, as of a dynamic series)")
    return refuse(unfit.code, reason)


def _name(role: Role) -> str:
    return f"looks like {role.replace('_', ' ')}"
