"""Files of an exam or a pair to loaded exams with maps and mask; what could not be used becomes a statement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from pydicom import dcmread

from pipelines.clinical.join import join
from pipelines.contract import (
    AdcMap,
    Case,
    CaseFiles,
    Code,
    Exam,
    ExamFiles,
    InputUnfit,
    Mask,
    Role,
    ScalarMap,
    Segmenter,
    SeriesFiles,
    Statement,
    Volume,
)
from pipelines.diffusion.adc import fit_adc, scanner_adc
from pipelines.diffusion.adc_units import stated_unit
from pipelines.diffusion.kurtosis import fit_kurtosis
from pipelines.inputs.input_cache import PLAIN, Preparation
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN
from pipelines.masks.reader_mask import find_reader_mask
from pipelines.masks.tumour_bed import aligned
from pipelines.quality import admitted, assess_images, assess_pair, assess_target
from pipelines.reports.clinical_variables import find_clinical_variables
from pipelines.volumes.volume import load_dwi, load_volume, ordered_paths, phase_encode_axis

Statements = tuple[Statement, ...]

# Refusals that say a series would have had a role, had its slices been in order.
GEOMETRY_CODES = {
    Code.NO_GEOMETRY,
    Code.NO_FRAME_OF_REFERENCE,
    Code.TOO_FEW_SLICES,
    Code.SLICE_MISSING,
    Code.DUPLICATE_POSITIONS,
    Code.MIXED_ORIENTATIONS,
    Code.IRREGULAR_SPACING,
    Code.SHEARED_STACK,
    Code.MOSAIC_UNFIT,
}


@dataclass
class Loading:
    """What is gathered while one exam loads."""

    files: ExamFiles
    statements: list[Statement] = field(default_factory=list)

    def state(self, code: Code, what: str, reason: str) -> None:
        self.statements.append(Statement(code, f"{self.files.time_point} {what}", reason))


def load_case(
    files: CaseFiles,
    segmenter: Segmenter | None,
    roi_pattern: str = DEFAULT_ROI_PATTERN,
    preparation: Preparation = PLAIN,
) -> tuple[Case, Statements]:
    """Both exams, loaded, and how the baseline's images lie on the restaging exam's. An exam that cannot be used is
    stated and left out. ``preparation``: how model inputs are made, and where they are kept.

    The imported record is joined with what the exams say. A restaging exam without an outline is read in the tumour bed
    where that is known (TUMOUR_BED_USED). Warns where the ADC maps of the two exams come from different b-values or
    fits (B_VALUES_DIFFER), and where their protocols differ (PROTOCOLS_DIFFER).
    Raises InputUnfit, the first exam's, where no exam can be used.
    """
    loaded: list[Exam | None] = []
    statements: list[Statement] = []
    refusal: InputUnfit | None = None
    for exam_files in (files.baseline, files.restaging):
        exam = None
        if exam_files is not None:
            try:
                exam, stated = load_exam(exam_files, segmenter, roi_pattern, preparation)
                statements.extend(stated)
            except InputUnfit as unfit:
                refusal = refusal or unfit
                statements.append(Statement(unfit.code, f"{exam_files.time_point} exam", unfit.reason))
        loaded.append(exam)
    case, stated = _placed_together(loaded[0], loaded[1], scoring=segmenter is not None)
    statements.extend(stated)
    if not case.exams:
        raise refusal or InputUnfit(Code.INPUTS_MISSING, "a case without exams")
    joined = join(files.record, case.exams)
    statements += [*files.stated, *joined.statements]
    case = replace(case, record=joined.record)
    return case, (*statements, *_compare_b_values(case), *assess_pair(case))


def load_exam(
    files: ExamFiles,
    segmenter: Segmenter | None,
    roi_pattern: str = DEFAULT_ROI_PATTERN,
    preparation: Preparation = PLAIN,
) -> tuple[Exam, Statements]:
    """One exam: axial T2, diffusion, ADC (our own fit, else the scanner's map), D and K where the b-values allow them,
    CE-T1, what models read of all that, the tumour's mask, and what readers reported.

    The mask is the reader's where there is one, else the segmenter's (a tumour bed needs the pair). CE-T1, DWI and ADC
    keep their own grids.
    The quality gate takes out what must not be scored and says so.
    Raises InputUnfit: NO_T2_AXIAL, or why the axial T2 cannot be loaded or is refused.
    """
    loading = Loading(files)
    t2, t2_paths = _t2(files)
    for choice in files.choices:
        loading.state(Code.SEVERAL_CANDIDATES, "series", choice)
    dwi = _dwi(loading, t2)
    clinical, stated = find_clinical_variables(files)
    loading.statements.extend(stated)
    exam = Exam(
        files=files,
        t2=t2,
        t2_paths=t2_paths,
        dwi=dwi,
        adc=_adc(loading, dwi, t2),
        ce_t1=_volume(loading, Role.CE_T1, t2),
        mask=None,
        maps=_kurtosis(dwi),
        clinical=clinical,
        phase_axis=phase_encode_axis(files.chosen[Role.DWI]) if dwi else None,
    )
    exam = replace(exam, inputs=preparation.inputs(exam))
    exam, stated = admitted(exam, assess_images(exam))  # before the segmenter: refused DWI must not draw the mask
    loading.statements.extend(stated)
    exam = replace(exam, mask=_mask(loading, exam, segmenter, roi_pattern))
    exam, stated = admitted(exam, assess_target(exam))
    loading.statements.extend(stated)
    return replace(exam, parameters=(*_parameters(exam), *exam.parameters)), tuple(loading.statements)


def _t2(files: ExamFiles) -> tuple[Volume, tuple[Path, ...]]:
    series = files.chosen.get(Role.T2_AXIAL)
    if series is None:
        raise InputUnfit(
            Code.NO_T2_AXIAL, f"the {files.time_point} exam has no usable axial T2{_nearly(files, 't2 axial')}"
        )
    return load_volume(series), ordered_paths(series)


def _nearly(files: ExamFiles, *looks_like: str) -> str:
    """The refused series that would have had one of these roles, for the reader of a refusal."""
    found = [
        f"{role.description!r}: {role.reason}"
        for role in files.refused
        if role.code in GEOMETRY_CODES and any(f"looks like {name}" in role.reason for name in looks_like)
    ]
    return f"; refused: {'; '.join(found)}" if found else ""


def _placed(loading: Loading, volume: Volume, t2: Volume, what: str) -> bool:
    """Whether a volume is in the T2's frame of reference; states it where it is not."""
    if volume.frame_of_reference_uid == t2.frame_of_reference_uid:
        return True
    loading.state(
        Code.NO_FRAME_OF_REFERENCE, what, f"the {what} has another frame of reference than the axial T2: not used"
    )
    return False


def _dwi(loading: Loading, t2: Volume) -> dict[float, Volume]:
    series = loading.files.chosen.get(Role.DWI)
    if series is None:
        return {}
    try:
        dwi = load_dwi(series)
    except InputUnfit as unfit:
        loading.state(unfit.code, "DWI", unfit.reason)
        return {}
    return dwi if _placed(loading, next(iter(dwi.values())), t2, "DWI") else {}


def _adc(loading: Loading, dwi: dict[float, Volume], t2: Volume) -> AdcMap | None:
    """Our own fit where the DWI allows one, else the scanner's map."""
    series = loading.files.chosen.get(Role.ADC)
    own_refusal = InputUnfit(Code.NO_DIFFUSION, f"neither DWI nor ADC{_nearly(loading.files, 'dwi', 'adc')}")
    if dwi:
        try:
            return fit_adc(dwi)
        except InputUnfit as unfit:
            own_refusal = unfit
    if series is None:
        loading.state(own_refusal.code, "ADC", own_refusal.reason)
        return None
    return _scanner_adc(loading, series, t2)


def _kurtosis(dwi: dict[float, Volume]) -> tuple[ScalarMap, ...]:
    """D and K. Few protocols allow them: that they are missing is no refusal, and stands among the parameters."""
    try:
        return fit_kurtosis(dwi) if dwi else ()
    except InputUnfit:
        return ()


def _scanner_adc(loading: Loading, series: SeriesFiles, t2: Volume) -> AdcMap | None:
    try:
        volume = load_volume(series)
        header = dcmread(series.paths[0], stop_before_pixels=True)
        adc = scanner_adc(volume, stated_unit=stated_unit(header))
    except InputUnfit as unfit:
        loading.state(unfit.code, "ADC", unfit.reason)
        return None
    return adc if _placed(loading, adc.volume, t2, "ADC map") else None


def _volume(loading: Loading, role: Role, t2: Volume) -> Volume | None:
    series = loading.files.chosen.get(role)
    if series is None:
        return None
    what = role.replace("_", "-").upper()
    try:
        volume = load_volume(series)
    except InputUnfit as unfit:
        loading.state(unfit.code, what, unfit.reason)
        return None
    return volume if _placed(loading, volume, t2, what) else None


def _mask(loading: Loading, exam: Exam, segmenter: Segmenter | None, roi_pattern: str) -> Mask | None:
    alignment = None if exam.inputs is None else exam.inputs.alignment
    moved = (next(iter(exam.dwi.values())), alignment) if exam.dwi and alignment is not None else None
    mask, stated = find_reader_mask(exam.files, exam.t2, roi_pattern, moved)
    loading.statements.extend(stated)
    if mask is not None:
        if segmenter is not None:
            used = f"a reader's tumour is used, {mask.how}; {segmenter.model.name} drew none in this exam"
            loading.state(Code.READER_MASK_USED, "tumour mask", used)
        return mask
    if segmenter is None:
        loading.state(Code.NO_MASK, "mask", "no reader's mask, and no segmenter to draw one")
        return None
    try:
        mask = segmenter.segment(exam)
    except InputUnfit as unfit:
        loading.state(unfit.code, "mask", f"no reader's mask; {segmenter.model.name}: {unfit.reason}")
        return None
    if mask.array.shape != exam.t2.array.shape or not mask.array.any():
        loading.state(Code.NO_TUMOUR_FOUND, "mask", f"no reader's mask; {segmenter.model.name} marked nothing")
        return None
    return mask


def _parameters(exam: Exam) -> tuple[tuple[str, str], ...]:
    """What preprocessing chose, for the report; series and mask stand there already."""
    slices, rows, columns = exam.t2.spacing
    return (
        ("T2 voxel", f"{rows:.3g} × {columns:.3g} × {slices:.3g} mm"),
        ("ADC", "none" if exam.adc is None else exam.adc.fit),
        *(() if exam.inputs is None else exam.inputs.parameters),
    )


def _placed_together(baseline: Exam | None, restaging: Exam | None, scoring: bool) -> tuple[Case, Statements]:
    """The case, aligned, with a tumour bed where it needs one; the quality gate then looks at the bed.

    Where nothing is to be scored the bed is for display alone, and needs no words.
    """
    case, stated = aligned(baseline, restaging)
    if not scoring or case.restaging is None or case.restaging.bed is None:
        return case, stated if scoring else ()
    exam, gate = admitted(case.restaging, assess_target(case.restaging))
    exam = replace(exam, parameters=tuple(dict(exam.parameters).items()))  # what was measured without a target goes
    return replace(case, restaging=exam), (*stated, *gate)


def _compare_b_values(case: Case) -> Statements:
    maps = [exam.adc for exam in (case.baseline, case.restaging) if exam is not None and exam.adc is not None]
    if len(maps) < 2:
        return ()
    known = bool(maps[0].b_values)  # two scanner maps that do not say theirs are not the same for that
    if known and maps[0].b_values == maps[1].b_values and maps[0].fit == maps[1].fit:
        return ()
    reason = f"baseline {maps[0].fit}; restaging {maps[1].fit}: a difference of their ADCs is no change of the tissue"
    return (Statement(Code.B_VALUES_DIFFER, "ADC of the pair", reason),)
