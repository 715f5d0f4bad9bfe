"""The gate itself: one exam assessed, and what it may be scored from."""

from __future__ import annotations

from dataclasses import replace

from pipelines.contract import Code, Exam, MaskOrigin, ModelInputs, Role, Statement
from pipelines.inputs.model_inputs import OF_DIFFUSION
from pipelines.quality.finding import Assessment, QualityReport
from pipelines.quality.geometry import assess_coverage, assess_obliquity, assess_overlap, assess_slices
from pipelines.quality.motion import assess_motion
from pipelines.quality.protocol import assess_b_values
from pipelines.quality.susceptibility import assess_gas


def assess_images(exam: Exam) -> QualityReport:
    """What the images show without the tumour's mask: slices, obliquity, overlap, b-values, motion."""
    made = Assessment(exam.files.time_point)
    assess_slices(exam, made)
    assess_obliquity(exam, made)
    assess_overlap(exam, made)
    assess_b_values(exam, made)
    assess_motion(exam, made)
    return made.report()


def assess_target(exam: Exam) -> QualityReport:
    """What concerns the tumour: coverage and gas around its mask; without a mask, coverage of the T2's centre."""
    made = Assessment(exam.files.time_point)
    assess_coverage(exam, made)
    assess_gas(exam, made)
    return made.report()


def assess_exam(exam: Exam) -> QualityReport:
    """Everything at once, in the order of the stages."""
    return assess_images(exam) + assess_target(exam)


def admitted(exam: Exam, report: QualityReport) -> tuple[Exam, tuple[Statement, ...]]:
    """The exam without what was refused, its parameters with what was measured, and the statements for the report.

    With the DWI go ADC, maps, the diffusion of the model inputs and a model's mask that was drawn from them; CE-T1 goes
    alone.
    Raises InputUnfit where the axial T2 is refused: without it there is no exam.
    """
    report.demand(Role.T2_AXIAL)
    refused = report.refused_roles
    kept = replace(exam, parameters=(*exam.parameters, *report.parameters))
    if Role.DWI in refused:
        kept = replace(kept, dwi={}, adc=None, maps=(), inputs=_without_diffusion(kept.inputs, report))
    if Role.CE_T1 in refused:
        inputs = None if kept.inputs is None else replace(kept.inputs, ce_t1=None)
        kept = replace(kept, ce_t1=None, inputs=inputs)
    statements = report.statements()
    if Role.DWI in refused and kept.mask is not None and kept.mask.origin is MaskOrigin.MODEL:
        reason = "the automatic mask was drawn from diffusion images that are refused: outline the tumour by hand"
        statements = (*statements, Statement(Code.NO_MASK, f"{exam.files.time_point} mask", reason))
        kept = replace(kept, mask=None)
    return kept, statements


def _without_diffusion(inputs: ModelInputs | None, report: QualityReport) -> ModelInputs | None:
    if inputs is None:
        return None
    kept = tuple(pair for pair in inputs.parameters if pair[0] not in OF_DIFFUSION)
    refusal = report.refusal(Role.DWI)
    return replace(inputs, dwi={}, adc=None, maps=(), alignment=None, refusal=refusal, parameters=kept)
