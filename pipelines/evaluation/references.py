"""What the authors of each system reported of their own patients. References to read beside our figures, never targets:
nobody can reach them on other patients.

Sources: Zhang et al. (signature_svm), table 3 and section 3.2, test cohort of 51 patients; Jin et al. 2021 (rp_net),
abstract, two validation cohorts; Liu Z. et al. 2025 (multi_rec_net), abstract, internal test cohort of 75 patients,
whose C-index has no interval there; Liu X. et al. 2021 (dlrs_nomogram), table 2, external validation cohort of 65
patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A figure with its 95 % interval where one was given, and of how many of the authors' own patients."""

    figure: str
    value: float
    low: float | None
    high: float | None
    patients: str

    @property
    def limits(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    def as_json(self) -> dict[str, object]:
        return {
            "figure": self.figure,
            "value": self.value,
            "ci": None if self.limits is None else list(self.limits),
            "of": f"the authors' own {self.patients}",
        }


_RESPONSE, _METASTASIS = "51 test patients", "65 patients of an external hospital"
_COMPLETE = "160 patients of one validation cohort; in another of 141 it was 0.92 (0.87–0.96)"
_RECURRENCE = (
    "75 internal test patients, whose AUC at 3 years was 0.97 (0.92 to over 0.99); at an external hospital the C-index "
    "of 72 patients was 0.81"
)
PUBLISHED: Mapping[str, Mapping[str, Published]] = {
    "signature_svm": {
        "CR": Published("AUC", 0.740, 0.555, 0.893, _RESPONSE),
        "FDL": Published("AUC", 0.846, 0.724, 0.939, _RESPONSE),
        **dict.fromkeys(("CRD", "CRD_published"), Published("AUC", 0.851, 0.717, 0.953, _RESPONSE)),
    },
    # Only the fused networks and those with blood markers have a figure in the abstract; single sequences have none.
    "rp_net": {
        "fused": Published("AUC", 0.95, 0.91, 0.98, _COMPLETE),
        "fused_markers": Published("AUC", 0.97, 0.93, 0.99, "patients whose blood markers were known"),
    },
    "multi_rec_net": {"All": Published("C-index", 0.92, None, None, _RECURRENCE)},
    # The authors' clinical model and nomogram know ypN; ours of these names do not, those with the ending do.
    "dlrs_nomogram": {
        **dict.fromkeys(
            ("nomogram_postoperative", "nomogram_published_postoperative"),
            Published("C-index", 0.775, 0.695, 0.856, _METASTASIS),
        ),
        "nomogram": Published("C-index", 0.775, 0.695, 0.856, f"{_METASTASIS}, ypN known"),
        "DLRS": Published("C-index", 0.747, 0.665, 0.830, _METASTASIS),
        "T2W": Published("C-index", 0.729, 0.640, 0.819, _METASTASIS),
        "ADC": Published("C-index", 0.599, 0.473, 0.724, _METASTASIS),
        "clinical_postoperative": Published("C-index", 0.601, 0.487, 0.732, _METASTASIS),
        "clinical": Published("C-index", 0.601, 0.487, 0.732, f"{_METASTASIS}, ypN known"),
    },
}


def published(system: str, model: str) -> Published | None:
    """The authors' figure for a model, where the paper gives one."""
    return PUBLISHED.get(system, {}).get(model)
