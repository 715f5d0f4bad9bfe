"""What the authors of each system reported of their own patients. References to read beside our figures, never targets:
nobody can reach them on other patients.

Sources: Zhang et al. (signature_svm), table 3 and section 3.2, test cohort of 51 patients; Liu X. et al. 2021
(dlrs_nomogram), table 2, external validation cohort of 65 patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A figure with its 95 % interval, and of how many of the authors' own patients."""

    figure: str
    value: float
    low: float
    high: float
    patients: str

    def as_json(self) -> dict[str, object]:
        return {
            "figure": self.figure,
            "value": self.value,
            "ci": [self.low, self.high],
            "of": f"the authors' own {self.patients}",
        }


_RESPONSE, _METASTASIS = "51 test patients", "65 patients of an external hospital"
PUBLISHED: Mapping[str, Mapping[str, Published]] = {
    "signature_svm": {
        "CR": Published("AUC", 0.740, 0.555, 0.893, _RESPONSE),
        "FDL": Published("AUC", 0.846, 0.724, 0.939, _RESPONSE),
        **dict.fromkeys(("CRD", "CRD_published"), Published("AUC", 0.851, 0.717, 0.953, _RESPONSE)),
    },
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
