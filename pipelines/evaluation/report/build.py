"""The whole report of a scoring system, section by section; pictures are drawn on the way."""

from __future__ import annotations

from pathlib import Path

from pipelines.evaluation.report.closing import explained_section, groups_section, left_out_section, limits_section
from pipelines.evaluation.report.content import Report
from pipelines.evaluation.report.degraded_section import degraded_sections
from pipelines.evaluation.report.opening import expected_section, figure_name, lead, origin, title
from pipelines.evaluation.report.own_masks_section import own_masks_sections
from pipelines.evaluation.report.response_sections import response_sections
from pipelines.evaluation.report.saliency_section import saliency_sections
from pipelines.evaluation.report.survival_sections import survival_sections
from pipelines.evaluation.results import Results


def build(results: Results, figures: Path) -> Report:
    """Pictures are written to ``figures``, a folder that exists."""
    judged = results.judged
    manifest = judged.bundle.manifest
    sections = survival_sections if judged.survival else response_sections
    return Report(
        title(results),
        origin(manifest.phantom_trained, judged.cohort.simulated),
        lead(results, figures),
        (
            expected_section(results),
            *sections(results, figures),
            groups_section(results, figure_name(results), figures),
            *degraded_sections(results, figure_name(results)),
            *own_masks_sections(results),
            *explained_section(results, figures),
            *saliency_sections(results, figures),
            left_out_section(results),
            limits_section(results),
        ),
        f"restage evaluate · {manifest.name} {manifest.version} · bundle {judged.bundle.weights_digest[:16]} · "
        f"cohort {judged.cohort.digest[:16]}",
    )
