"""A figure in ``metrics.json``: its value under its name, its 95 % limits beside it."""

from __future__ import annotations

from pipelines.evaluation.statistics.oracle_ratio import OracleRatio
from pipelines.evaluation.statistics.stated import Estimate


def flat(name: str, figure: Estimate) -> dict[str, object]:
    """``name`` and ``name_ci``; where one is null, ``name_not_estimable`` says why."""
    ends = None if figure.lower is None or figure.upper is None else [figure.lower, figure.upper]
    found: dict[str, object] = {name: figure.value, f"{name}_ci": ends}
    return found | ({f"{name}_not_estimable": figure.not_estimable} if figure.not_estimable else {})


def beside_oracle(found: OracleRatio | None, figure: str) -> dict[str, object]:
    """The share of the oracle, averaged, by the one draw that happened, and how far single draws spread; null where
    nobody knows the truth."""
    return {
        f"{figure}_expected": found.expected if found else None,
        "oracle_ratio": found.ratio if found else None,
        "oracle_ratio_observed": found.ratio_observed if found else None,
        "oracle_ratio_sd": found.spread if found else None,
    }
