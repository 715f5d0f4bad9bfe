"""What a hospital writes down beside the images, as words: each word with its probability given the words before it.

The words form one table of joint probabilities (about 7,000 cells), so that every conditional probability of an
outcome is an exact sum over its cells: a word that an information set holds is fixed, the others are summed out.

CEA raised in 24 % and ypN0/1/2 in 66/21/13 % are the rates of Liu X. et al. 2021, table 1; the odds ratios of response
are near those of Zhang et al., table 2, turned around (involved margin after therapy 1 / 2.5, EMVI after therapy
1 / 2.8 of a good response); the other tables are made, to be plausible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.random import Generator

from pipelines.phantom.latents import INTERCEPT, LOG_SD_VOLUME, SLOPE, Latents

NORMAL, RAISED = "normal", "raised"
NEGATIVE, POSITIVE = "negative", "positive"
WORDS: dict[str, tuple[str, ...]] = {
    "ct_stage": ("cT2", "cT3", "cT4"),
    "trg_ajcc": ("AJCC-0", "AJCC-1", "AJCC-2", "AJCC-3"),
    "cn_stage": ("cN0", "cN1", "cN2"),
    "cea": (NORMAL, RAISED),
    "ca19_9": (NORMAL, RAISED),
    "emvi_baseline": (NEGATIVE, POSITIVE),
    "crm_baseline": (NEGATIVE, POSITIVE),
    "emvi_restaging": (NEGATIVE, POSITIVE),
    "crm_restaging": (NEGATIVE, POSITIVE),
    "ypn": ("ypN0", "ypN1", "ypN2"),
}
NAMES = tuple(WORDS)
AXIS = {name: i for i, name in enumerate(NAMES)}
BASELINE_WORDS = ("ct_stage", "cn_stage", "cea", "ca19_9", "emvi_baseline", "crm_baseline")
RESTAGING_WORDS = ("emvi_restaging", "crm_restaging")
PATHOLOGY_WORDS = ("trg_ajcc", "ypn")
# Cumulative logits of the grade: P(grade ≤ j) = sigmoid(1.95 r − 1.05 + step).
GRADE_STEPS = np.array([-1.30, 0.0, 2.10])
CT_CUTS, CT_PER_SD = np.array([-2.6, 1.25]), 0.7


def sigmoid(x: np.ndarray | float) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x, dtype=float))))


def ordered(cumulative_logits: np.ndarray) -> np.ndarray:
    """Probabilities of ordered categories, last axis, from the logits of P(category ≤ j)."""
    cumulative = sigmoid(cumulative_logits)
    ends = (np.zeros((*cumulative.shape[:-1], 1)), cumulative, np.ones((*cumulative.shape[:-1], 1)))
    return np.diff(np.concatenate(ends, axis=-1))


def grade_probabilities(response_index: np.ndarray) -> np.ndarray:
    """P(AJCC grade 0–3 | r), shape (…, 4)."""
    return ordered(SLOPE * np.asarray(response_index)[..., None] + INTERCEPT + GRADE_STEPS)


def stage_probabilities(latents: Latents) -> np.ndarray:
    """P(cT2, cT3, cT4): larger tumours are staged higher."""
    return ordered(CT_CUTS - CT_PER_SD * float(np.log(latents.volume_pre / 20)) / LOG_SD_VOLUME)


Rule = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def _two(logit: np.ndarray) -> np.ndarray:
    return np.stack([1 - sigmoid(logit), sigmoid(logit)], axis=-1)


def _ypn(of: Mapping[str, np.ndarray]) -> np.ndarray:
    none = np.array([2.7, 1.45, 0.45, 0.0])[of["trg_ajcc"]] - np.array([-0.5, 0.0, 0.5])[of["cn_stage"]]
    return ordered(np.stack([none, none + 1.25], axis=-1))


def _good(of: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.asarray(of["trg_ajcc"] <= 1)


def _constant(*probabilities: float) -> Rule:
    return lambda of: np.broadcast_to(np.array(probabilities), (*of["ct_stage"].shape, len(probabilities)))


# P(word | earlier words), for the words after stage and grade, which depend on the images.
RULES: dict[str, Rule] = {
    "cn_stage": _constant(0.25, 0.42, 0.33),
    "cea": lambda of: _two(-0.93 - 0.80 * _good(of)),
    "ca19_9": lambda of: _two(-2.75 + 1.8 * of["cea"]),
    "emvi_baseline": lambda of: _two(np.array([-2.0, -0.6, 0.3])[of["ct_stage"]]),
    "crm_baseline": lambda of: _two(np.array([-3.0, -0.7, 1.1])[of["ct_stage"]]),
    "emvi_restaging": lambda of: _two(-2.9 + 3.6 * of["emvi_baseline"] - 1.0 * _good(of)),
    "crm_restaging": lambda of: _two(-2.9 + 3.4 * of["crm_baseline"] - 0.95 * _good(of)),
    "ypn": _ypn,
}


@cache
def _table() -> np.ndarray:
    """P(words of RULES | stage, grade), one axis per word in the order of NAMES."""
    shape = tuple(len(words) for words in WORDS.values())
    grid = dict(zip(NAMES, np.indices(shape), strict=True))
    total = np.ones(shape)
    for name, rule in RULES.items():
        total *= np.take_along_axis(rule(grid), grid[name][..., None], axis=-1)[..., 0]
    return total


Known = tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def _summed(known: Known, kept: tuple[str, ...]) -> np.ndarray:
    """The table with known words fixed and the others summed out, except stage, grade and those to keep."""
    table, fixed = _table(), dict(known)
    for name, axis in AXIS.items():
        if name in fixed:
            table = table.take([WORDS[name].index(fixed[name])], axis=axis)
        elif name not in kept and name not in ("ct_stage", "trg_ajcc"):
            table = table.sum(axis=axis, keepdims=True)
    return table


@dataclass(frozen=True)
class Cells:
    """Joint probabilities of what decides an outcome given an information set.

    ``weight``: shape (points, *words), sums to 1; points are the equally likely response indices ``r``, words the axes
    of NAMES (length 1 where a word is known or does not matter). ``fixed``: the known words.
    """

    weight: np.ndarray
    r: np.ndarray
    fixed: Mapping[str, str]

    def of(self, name: str, values: np.ndarray | tuple[float, ...]) -> np.ndarray:
        """A number per value of one word, shaped to broadcast against ``weight``. The word must have been kept."""
        table = np.asarray(values, dtype=float)
        if name in self.fixed:
            table = table[[WORDS[name].index(self.fixed[name])]]
        return table.reshape([-1 if axis == AXIS[name] + 1 else 1 for axis in range(len(NAMES) + 1)])

    @property
    def index(self) -> np.ndarray:
        """``r`` shaped to broadcast against ``weight``."""
        return self.r.reshape([-1] + [1] * len(NAMES))


def cells(latents: Latents, r: np.ndarray, known: Mapping[str, str], kept: tuple[str, ...]) -> Cells:
    """P(kept words, r | known words, images); ``r`` holds one value where both exams are seen, else many."""
    table = _summed(tuple(sorted(known.items())), kept)
    weight = np.array(table)[None]
    for name, p in (("ct_stage", stage_probabilities(latents)[None]), ("trg_ajcc", grade_probabilities(r))):
        if name in known:
            p = p[:, [WORDS[name].index(known[name])]]
        shape = [1] * weight.ndim
        shape[0], shape[AXIS[name] + 1] = p.shape
        weight = weight * p.reshape(shape)
    return Cells(weight / weight.sum(), r, dict(known))


def draw_words(rng: Generator, latents: Latents, grade: str) -> dict[str, str]:
    """Every word of one patient, grade given; one uniform number per word, in the order of NAMES."""
    index = {"trg_ajcc": np.array(WORDS["trg_ajcc"].index(grade))}
    for name in NAMES:
        u = rng.random()
        if name == "trg_ajcc":
            continue
        p = stage_probabilities(latents) if name == "ct_stage" else RULES[name](index)
        index[name] = np.array(min(int(np.searchsorted(np.cumsum(p), u, side="right")), len(WORDS[name]) - 1))
    return {name: WORDS[name][int(index[name])] for name in NAMES}
