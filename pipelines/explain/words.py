"""Every input of a final stage in words for a reader of rectal MRI: what it is, and its value in a unit.

The columns of the systems' tables have short names and scales that suit a machine: logarithms, codes, differences.
Here each is what a report would say: "tumour volume at baseline", "21.3 cm³". A column that is not known here keeps
its own name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.clinical.items import KINDS, Quantity
from pipelines.clinical.phrase import NAMES
from pipelines.contract import Contribution, Item

Said = Callable[[float], str]

LOG_ODDS, LOG_HAZARD = "log odds", "log hazard"
"""What contributions are in."""

_TIMES = {"pre": "at baseline", "post": "at restaging"}
_SEQUENCES = {"t2": "T2", "dwi": "DWI", "ce_t1": "contrast-enhanced T1"}
_DIFFUSIVITY = "×10⁻⁶ mm²/s"


@dataclass(frozen=True)
class Words:
    """``name``: what an input is; ``said``: its value in words, from the number that a final stage sees."""

    name: str
    said: Said


@dataclass(frozen=True)
class _Feature:
    """A feature measured in the mask: its value at one time, and what its change is said as."""

    name: str
    value: Said
    change: Said
    how: str = ""

    def at(self, when: str) -> Words:
        return Words(f"{self.name} {when}{self.how}", self.value)

    @property
    def changed(self) -> Words:
        return Words(f"change of {self.name}{self.how}", self.change)


def words_of(column: str) -> Words:
    """What a column of a final stage's table is; of one that nobody described its own name and its number."""
    return _KNOWN.get(column) or Words(column, plain)


def contributions(
    columns: Sequence[str], values: Sequence[float], amounts: Sequence[float]
) -> tuple[Contribution, ...]:
    """What each column adds, in words, the largest amount first; ``values`` are those of the final stage."""
    known = [(words_of(column), value) for column, value in zip(columns, values, strict=True)]
    found = [
        Contribution(words.name, words.said(float(value)), float(amount))
        for (words, value), amount in zip(known, amounts, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -abs(one.amount)))


def plain(value: float) -> str:
    """Three digits or all before the point, with a typographic minus and without trailing zeros."""
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "−")


def _signed(value: float) -> str:
    text = plain(value)
    return f"+{text}" if not text.startswith("−") and text != "0" else text


def _in(unit: str, factor: float = 1.0) -> Said:
    return lambda value: f"{plain(factor * value)} {unit}"


def _by(unit: str, factor: float = 1.0) -> Said:
    return lambda change: f"{_signed(factor * change)} {unit}"


def _log_in(unit: str) -> Said:
    """Of a logarithm, the number itself."""
    return lambda value: f"{plain(math.exp(value))} {unit}"


def _log1p_in(unit: str) -> Said:
    """Of ln(1 + x), x itself."""
    return lambda value: f"{plain(math.expm1(value))} {unit}"


def _relative(change: float) -> str:
    """Of a difference of logarithms, the change in percent."""
    text = f"{100.0 * math.expm1(change):+.0f} %"
    return "0 %" if text in ("+0 %", "-0 %") else text.replace("-", "−")


def _odds(logit: float) -> str:
    """Of log odds, the probability."""
    return _percent(1.0 / (1.0 + math.exp(-logit)))


def _deviations(value: float) -> str:
    """Of a feature as a network reads it: how far from the mean of training."""
    return f"{_signed(value)} SD"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _either(one: str, zero: str) -> Said:
    """Of a code of 1 or 0, its word."""
    return lambda value: one if value > 0.5 else zero


def _stage(prefix: str) -> Said:
    return lambda value: f"{prefix}{value:.0f}"


_ADC = (_in(_DIFFUSIVITY, 1000.0), _by(_DIFFUSIVITY, 1000.0))
_POINTS = _by("percentage points", 100.0)

_FEATURES: Mapping[str, _Feature] = {
    "log_volume": _Feature("tumour volume", _log_in("cm³"), _relative),
    "thickness": _Feature("tumour thickness", _in("mm"), _by("mm")),
    "length": _Feature("extent of the tumour across slices", _in("mm"), _by("mm")),
    "t2_median": _Feature("T2 signal against other tissue", _log_in("times"), _relative),
    "t2_ratio": _Feature("mean T2 signal against other tissue", _log_in("times"), _relative),
    "t2_spread": _Feature("T2 heterogeneity", plain, _signed),
    "t2_low": _Feature("dark end of the T2 signal", plain, _signed),
    "t2_high": _Feature("bright end of the T2 signal", plain, _signed),
    "t2_dark_share": _Feature("dark share of the tumour on T2", _percent, _POINTS),
    "t2_skewness": _Feature("skewness of the T2 signal", plain, _signed),
    "adc_mean": _Feature("mean ADC", *_ADC, " (b ≤ 1000)"),
    "adc_median": _Feature("median ADC", *_ADC, " (b ≤ 1000)"),
    "adc_low": _Feature("lowest tenth of the ADC", *_ADC, " (b ≤ 1000)"),
    "adc_spread": _Feature("ADC heterogeneity", *_ADC, " (b ≤ 1000)"),
    "dwi_ratio": _Feature("DWI signal at high b against other tissue", _in("times"), _by("times")),
    "dapp_median": _Feature("median D", _in(_DIFFUSIVITY, 1000.0), _by(_DIFFUSIVITY, 1000.0)),
    "kapp_median": _Feature("median K", plain, _signed),
    "slope": _Feature("diffusion coefficient at low b", *_ADC),
    "curvature": _Feature("curvature of the diffusion decay", plain, _signed),
}
"""Of :func:`pipelines.features.measured_features`, and the medians of :mod:`pipelines.systems.multi_rec_cut`."""


def _measured(name: str, feature: _Feature) -> dict[str, Words]:
    """At both times, its change, and without a time, as the systems of one exam name it: the baseline's."""
    found = {f"{time}_{name}": feature.at(when) for time, when in _TIMES.items()}
    return found | {f"change_{name}": feature.changed, name: feature.at(_TIMES["pre"])}


def _signatures(sequence: str) -> dict[str, Words]:
    read = _SEQUENCES[sequence]
    found = {f"{time}_{sequence}": Words(f"network: {read} {when}", _percent) for time, when in _TIMES.items()}
    for name, feature in _FEATURES.items():
        found |= {
            f"read_{sequence}_{time}_{name}": Words(f"network on {read}: {feature.name} {when}", _deviations)
            for time, when in _TIMES.items()
        }
    return found | {
        f"delta_{sequence}": Words(f"network: {read}, baseline minus restaging", _POINTS),
        f"logit_{sequence}": Words(f"network: {read} of both exams", _odds),
    }


def _item(item: Item) -> Words:
    """A clinical value, in the code that final stages see it in."""
    kind = KINDS[item]
    if isinstance(kind, Quantity):
        said = _log1p_in(kind.unit) if item in _LOGARITHMS else _in(kind.unit)
        return Words(NAMES[item], said)
    return Words(NAMES[item], _STAGES.get(item) or (_either("male", "female") if item is Item.SEX else _SIGN))


_LOGARITHMS = (Item.CEA, Item.CA19_9)
_STAGES = {Item.CT_STAGE: _stage("cT"), Item.CN_STAGE: _stage("cN")}
_SIGN = _either("negative", "positive")  # 1 is negative, as in Zhang et al.
_CODED = (
    *(Item.SEX, Item.AGE_YEARS, Item.CEA, Item.CA19_9, Item.CT_STAGE, Item.CN_STAGE),
    *(Item.MWT_BASELINE, Item.MWT_RESTAGING, Item.LENGTH_BASELINE, Item.LENGTH_RESTAGING),
    *(Item.DTAV_BASELINE, Item.DTAV_RESTAGING),
    *(Item.CRM_BASELINE, Item.CRM_RESTAGING, Item.EMVI_BASELINE, Item.EMVI_RESTAGING),
)
"""The items of system 1's table, :mod:`pipelines.systems.signature_clinical`."""

_COVARIATES: Mapping[str, Words] = {
    "t2w_prob": Words("network: T2", _percent),
    "adc_prob": Words("network: ADC map", _percent),
    "dl_prob": Words("networks: T2 and ADC map", lambda total: f"mean {_percent(total / 2.0)}"),
    "log_risk": Words("network: risk", _log_in("× average")),
    "recurrence_logit": Words("network: probability of recurrence", _odds),
    "measured": Words("score of the measured features", _signed),
    "ct": Words(NAMES[Item.CT_STAGE], _stage("cT")),
    "cea": Words(NAMES[Item.CEA], _either("raised (> 5 ng/mL)", "not raised (≤ 5 ng/mL)")),
    "emvi": Words(NAMES[Item.EMVI_BASELINE], _either("positive", "negative")),
    "ypn": Words(NAMES[Item.YPN_STAGE], _stage("ypN")),
}
"""The covariates of systems 3 and 4, :mod:`pipelines.systems.multi_rec_models` and ``dlrs_models``."""

_KNOWN: Mapping[str, Words] = {
    **{column: words for name, feature in _FEATURES.items() for column, words in _measured(name, feature).items()},
    **{column: words for sequence in _SEQUENCES for column, words in _signatures(sequence).items()},
    **{str(item): _item(item) for item in _CODED},
    **_COVARIATES,
}
