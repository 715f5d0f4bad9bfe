"""Which inputs move a model's probability, and by how much in each patient: Shapley values.

S. M. Lundberg, S.-I. Lee, NeurIPS 2017; computed by shap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import shap

from pipelines.evaluation.statistics.stated import Numbers, Stated

EXACT = 10  # inputs: over this not all 2^k subsets are computed, but SUBSETS of them, the weightiest first
SUBSETS = 2**EXACT
BACKGROUND = 100  # patients that stand for an input that is not known


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """NumPy's shared generator, which shap draws from, seeded; its state before is put back."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


@dataclass(frozen=True)
class Shapley(Stated):
    """Shapley values of n patients and k inputs, all inputs in falling order of importance.

    ``names`` (k,); ``importance`` (k,): mean |value|; ``values`` (n, k): what the input adds to the patient's
    probability; ``inputs`` (n, k): its own value, for the colour of a beeswarm. ``base`` + the sum of a row's values is
    that patient's probability. ``exact``: all subsets were computed, not sampled.
    """

    names: tuple[str, ...]
    importance: Numbers
    values: Numbers
    inputs: Numbers
    base: float
    exact: bool
    not_estimable: str = ""


def shapley(
    probability: Callable[[Numbers], Numbers],
    inputs: Numbers,
    names: Sequence[str],
    background: Numbers | None = None,
    seed: int = 0,
) -> Shapley:
    """Shapley values of ``probability``, a function of (m, k) inputs to (m,), for patients ``inputs`` (n, k).

    An input that is taken away is averaged over ``background`` (m, k), best the training patients, by default these
    patients themselves, at most 100 of them drawn with ``seed``: inputs are taken as independent, so what two related
    inputs share is split between them. Exact up to 10 inputs, at n · 2^k · m evaluations; beyond, by
    regression on 1024 subsets (shap's permutation explainer compiles itself first, and seeds NumPy for everybody).
    """
    whole = np.isfinite(inputs).all(axis=1)
    if inputs.ndim != 2 or inputs.shape[1] != len(names) or not whole.all() or len(inputs) < 2:
        why = f"{int((~whole).sum())} patients lack an input" if len(inputs) > 1 else "fewer than two patients"
        nothing = np.empty(0)
        return Shapley((), nothing, np.empty((0, 0)), np.empty((0, 0)), float("nan"), False, why)
    stand_in = inputs if background is None else background
    if len(stand_in) > BACKGROUND:
        stand_in = stand_in[np.random.default_rng(seed).choice(len(stand_in), BACKGROUND, replace=False)]
    subsets = min(2 ** len(names), SUBSETS)
    kernel = shap.KernelExplainer(probability, stand_in)
    with _numpy_seeded(seed):
        # As many samples as there are subsets: every one is taken, and the regression is solved exactly.
        found = kernel.shap_values(inputs, nsamples=subsets, l1_reg=False, silent=True)
    values = np.asarray(found, dtype=np.float64)
    importance = np.abs(values).mean(axis=0)
    order = np.argsort(-importance, kind="stable")
    return Shapley(
        tuple(names[i] for i in order),
        importance[order],
        values[:, order],
        inputs[:, order],
        float(kernel.expected_value),
        len(names) <= EXACT,
    )
