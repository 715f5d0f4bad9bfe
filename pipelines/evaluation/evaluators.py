"""How each system's bundles are judged: what they read of an exam, what they say of a cohort, what explains them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from pipelines.bundle import Bundle, BundleError
from pipelines.cohort.cut import Cut, PreparedPatient
from pipelines.contract import Nomogram
from pipelines.evaluation import dlrs_nomogram, multi_rec_net, rp_net, signature_svm
from pipelines.evaluation.explained import dlrs_example, dlrs_shapley, multi_rec_shapley, rp_shapley, signature_shapley
from pipelines.evaluation.prediction import Predicted
from pipelines.evaluation.statistics.explain import Shapley

SEGMENTER = "segmenter"


def _no_shapley(bundle: Bundle, predicted: Predicted) -> dict[str, Shapley]:
    return {}


def _no_example(bundle: Bundle, predicted: Predicted) -> tuple[Nomogram, float] | None:
    return None


@dataclass(frozen=True)
class Evaluator:
    """``explain``: Shapley values by model; ``example``: the default model as a nomogram, with a patient on it."""

    cut_of: Callable[[Bundle], Cut]
    predict: Callable[[Bundle, Sequence[PreparedPatient], torch.device | str], Predicted]
    explain: Callable[[Bundle, Predicted], dict[str, Shapley]] = _no_shapley
    example: Callable[[Bundle, Predicted], tuple[Nomogram, float] | None] = _no_example


EVALUATORS: Mapping[str, Evaluator] = {
    "signature_svm": Evaluator(signature_svm.cut_of, signature_svm.predict, explain=signature_shapley),
    "rp_net": Evaluator(rp_net.cut_of, rp_net.predict, explain=rp_shapley),
    "multi_rec_net": Evaluator(multi_rec_net.cut_of, multi_rec_net.predict, explain=multi_rec_shapley),
    "dlrs_nomogram": Evaluator(dlrs_nomogram.cut_of, dlrs_nomogram.predict, explain=dlrs_shapley, example=dlrs_example),
}


def evaluator_of(bundle: Bundle) -> Evaluator:
    """The evaluator of a scoring system's bundle. Raises BundleError where there is none."""
    system = bundle.manifest.system
    if system not in EVALUATORS:
        known = ", ".join((*EVALUATORS, SEGMENTER))
        raise BundleError(
            bundle.folder / "manifest.json", f"is of '{system}', which nothing here judges", f"there are {known}"
        )
    return EVALUATORS[system]
