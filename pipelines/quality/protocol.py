"""The b-values of an exam, and where the protocols of the two exams differ."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.contract import Case, Code, Exam, Role, Statement
from pipelines.quality import limits
from pipelines.quality.finding import NAMES, Assessment, Severity
from pipelines.quality.geometry import angle, normal
from pipelines.quality.headers import Acquisition, acquisition


def assess_b_values(exam: Exam, made: Assessment) -> None:
    """Highest and number of the DWI's b-values (s/mm²)."""
    if not exam.dwi:
        return
    highest = max(exam.dwi)
    made.measured("DWI b-values", f"{'/'.join(f'{b:g}' for b in sorted(exam.dwi))} s/mm²")
    reason = f"the highest b-value is {highest:g} s/mm²; the consensus asks for at least {limits.HIGHEST_B_WARNED:g}"
    if highest < limits.HIGHEST_B_REFUSED:
        limit, severity = limits.HIGHEST_B_REFUSED, Severity.REFUSAL
        reason += f", and under {limit:g} perfusion and T2 outweigh diffusion"
    elif highest < limits.HIGHEST_B_WARNED:
        limit, severity = limits.HIGHEST_B_WARNED, Severity.WARNING
    elif len(exam.dwi) < 2:
        limit, severity = 2.0, Severity.WARNING
        reason = f"the DWI has one b-value, {highest:g} s/mm²: no decay can be seen in it"
    else:
        return
    value = float(len(exam.dwi)) if limit == 2.0 else highest
    made.state(Code.B_VALUES_UNFIT, Role.DWI, (value, limit), severity, reason)


def assess_pair(case: Case) -> tuple[Statement, ...]:
    """One warning (PROTOCOLS_DIFFER) that lists what differs in words; none where nothing does, or without a pair.

    b-values are left to B_VALUES_DIFFER where both exams have an ADC and these come from different b-values.
    """
    baseline, restaging = case.baseline, case.restaging
    if baseline is None or restaging is None:
        return ()
    differences = [*_geometry(baseline, restaging), *_sequences(baseline, restaging), *_headers(baseline, restaging)]
    if not differences:
        return ()
    reason = f"baseline and restaging differ: {'; '.join(differences)}; part of a change may be the protocol's"
    return (Statement(Code.PROTOCOLS_DIFFER, "protocols of the pair", reason, warning=True),)


def _geometry(baseline: Exam, restaging: Exam) -> Iterator[str]:
    before, after = baseline.t2.spacing, restaging.t2.spacing
    if any(_apart(one, other, limits.SAME_SIZE) for one, other in zip(before, after, strict=True)):
        words = [f"{rows:.2g} × {columns:.2g} × {slices:.2g}" for slices, rows, columns in (before, after)]
        yield f"T2 voxel {words[0]} and {words[1]} mm"
    between = angle(normal(baseline.t2), normal(restaging.t2))
    if between > limits.PAIR_TILT:
        yield f"T2 slices tilted by {between:.0f}° against each other"


def _sequences(baseline: Exam, restaging: Exam) -> Iterator[str]:
    for name, before, after in (
        ("DWI", bool(baseline.dwi), bool(restaging.dwi)),
        ("CE-T1", baseline.ce_t1 is not None, restaging.ce_t1 is not None),
    ):
        if before != after:
            yield f"{name} at {'baseline' if before else 'restaging'} only"
    maps = (baseline.adc, restaging.adc)
    said = maps[0] is not None and maps[1] is not None and maps[0].b_values != maps[1].b_values
    if baseline.dwi and restaging.dwi and not said and sorted(baseline.dwi) != sorted(restaging.dwi):
        sets = ["/".join(f"{b:g}" for b in sorted(exam.dwi)) for exam in (baseline, restaging)]
        yield f"b {sets[0]} and {sets[1]} s/mm²"


def _headers(baseline: Exam, restaging: Exam) -> Iterator[str]:
    before, after = (acquisition(exam.files.chosen, Role.T2_AXIAL) for exam in (baseline, restaging))
    if before.scanner and after.scanner and before.scanner.casefold() != after.scanner.casefold():
        yield f"scanner {before.scanner} and {after.scanner}"
    fields = (before.field_strength, after.field_strength)
    if fields[0] is not None and fields[1] is not None and abs(fields[0] - fields[1]) > limits.SAME_FIELD:
        yield f"field {fields[0]:.2g} and {fields[1]:.2g} T"
    yield from _times("T2", before, after)
    dwi = (acquisition(exam.files.chosen, Role.DWI) for exam in (baseline, restaging))
    yield from _times(NAMES[Role.DWI], *dwi)


def _times(name: str, before: Acquisition, after: Acquisition) -> Iterator[str]:
    for what, one, other in (
        ("echo time", before.echo_time, after.echo_time),
        ("repetition time", before.repetition_time, after.repetition_time),
    ):
        if one is not None and other is not None and _apart(one, other, limits.SAME_TIME):
            yield f"{name} {what} {one:.4g} and {other:.4g} ms"


def _apart(one: float, other: float, factor: float) -> bool:
    return max(one, other) > factor * min(one, other)
