"""System 3's clinical table: what a record says, as the codes of its columns (Liu Z. et al. 2025).

A value that a record lacks, or that its column has no word for (sex "other", cT0, cTX, ypTis), is not known: it gets
the network's learned token and is named in the report. Nothing is filled in, and no grade of another scheme than AJCC's
is turned into one. cTNM stage follows from cT and cN alone: III with positive nodes, else II from cT3 on, I below
(AJCC, 8th edition); M is 0 by the system's purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipelines.contract import ClinicalRecord, Item
from pipelines.systems.networks.multi_rec_size import POSTOPERATIVE, PRETREATMENT
from pipelines.systems.networks.saint import Column

COLUMNS = PRETREATMENT + POSTOPERATIVE
YPN = "ypn_stage"
"""What must be known for a patient to count as one after surgery; other pathology is optional."""
CEA_LIMIT, CA19_9_LIMIT = 5.0, 37.0
NODES_POSITIVE, FROM_T3 = 1, 3

Codes = Mapping[str, float]
"""What is known of one patient by column: words coded, numbers in their own unit."""
_SIGN = ("negative", "positive")


@dataclass(frozen=True)
class Source:
    """Where a column comes from. ``words``: as a reader of a report knows it."""

    items: tuple[Item, ...]
    words: str
    read: Callable[[ClinicalRecord], float | None]


def _number(item: Item) -> Callable[[ClinicalRecord], float | None]:
    return lambda record: record.number(item)


def _over(item: Item, limit: float) -> Callable[[ClinicalRecord], float | None]:
    def read(record: ClinicalRecord) -> float | None:
        value = record.number(item)
        return None if value is None else float(value > limit)

    return read


def _word(item: Item, *words: str) -> Callable[[ClinicalRecord], float | None]:
    return lambda record: float(words.index(found)) if (found := record.word(item)) in words else None


def _stage(item: Item, lowest: int) -> Callable[[ClinicalRecord], float | None]:
    """The number of a stage, substages as their stage, counted from ``lowest``."""

    def read(record: ClinicalRecord) -> float | None:
        found = re.search(r"[TN](\d)", record.word(item))
        return float(int(found[1]) - lowest) if found and int(found[1]) >= lowest else None

    return read


def _ctnm(record: ClinicalRecord) -> float | None:
    t, n = _stage(Item.CT_STAGE, 1)(record), _stage(Item.CN_STAGE, 0)(record)
    if n is not None and n >= NODES_POSITIVE:
        return 2.0
    return None if t is None or n is None else float(t + 1 >= FROM_T3)


SOURCES: Mapping[str, Source] = {
    "age_years": Source((Item.AGE_YEARS,), "age", _number(Item.AGE_YEARS)),
    "sex": Source((Item.SEX,), "sex", _word(Item.SEX, "F", "M")),
    "cea_over_5": Source((Item.CEA,), "CEA", _over(Item.CEA, CEA_LIMIT)),
    "ca19_9_over_37": Source((Item.CA19_9,), "CA19-9", _over(Item.CA19_9, CA19_9_LIMIT)),
    "location": Source((Item.LOCATION,), "location", _word(Item.LOCATION, "low", "middle", "high")),
    "ctnm_stage": Source((Item.CT_STAGE, Item.CN_STAGE), "cTNM stage", _ctnm),
    "ct_stage": Source((Item.CT_STAGE,), "cT stage", _stage(Item.CT_STAGE, 1)),
    "cn_stage": Source((Item.CN_STAGE,), "cN stage", _stage(Item.CN_STAGE, 0)),
    # MRI speaks of the fascia that pathology's margin follows: the record's CRM of the baseline exam.
    "mrf_baseline": Source((Item.CRM_BASELINE,), "MRF", _word(Item.CRM_BASELINE, *_SIGN)),
    "emvi_baseline": Source((Item.EMVI_BASELINE,), "EMVI", _word(Item.EMVI_BASELINE, *_SIGN)),
    "differentiation": Source(
        (Item.DIFFERENTIATION,), "differentiation", _word(Item.DIFFERENTIATION, "well", "moderate", "poor")
    ),
    "ypt_stage": Source((Item.YPT_STAGE,), "ypT stage", _stage(Item.YPT_STAGE, 0)),
    YPN: Source((Item.YPN_STAGE,), "ypN stage", _stage(Item.YPN_STAGE, 0)),
    "lymphovascular_invasion": Source(
        (Item.LYMPHOVASCULAR_INVASION,), "lymphovascular invasion", _word(Item.LYMPHOVASCULAR_INVASION, *_SIGN)
    ),
    "perineural_invasion": Source(
        (Item.PERINEURAL_INVASION,), "perineural invasion", _word(Item.PERINEURAL_INVASION, *_SIGN)
    ),
    "adjuvant_chemotherapy": Source(
        (Item.ADJUVANT_CHEMOTHERAPY,), "adjuvant chemotherapy", _word(Item.ADJUVANT_CHEMOTHERAPY, "no", "yes")
    ),
    "trg_ajcc": Source((Item.TRG_AJCC,), "AJCC TRG", _word(Item.TRG_AJCC, *(f"AJCC-{n}" for n in range(4)))),
}


def codes_of(record: ClinicalRecord) -> Codes:
    """What a record knows, by column; what it does not know is absent."""
    found = {name: source.read(record) for name, source in SOURCES.items()}
    return {name: value for name, value in found.items() if value is not None}


def missing_words(codes: Codes, columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns that are not known, as a reader knows them."""
    return tuple(SOURCES[column.name].words for column in columns if column.name not in codes)


def items_of(codes: Codes, columns: Sequence[Column]) -> tuple[Item, ...]:
    """The clinical items that the known columns come from."""
    named = (item for column in columns if column.name in codes for item in SOURCES[column.name].items)
    return tuple(dict.fromkeys(named))


def hidden(codes: Codes, kept: Collection[str] = ()) -> Codes:
    """The same patient with nothing known but the columns ``kept``."""
    return {name: value for name, value in codes.items() if name in kept}


@dataclass(frozen=True)
class Scaler:
    """Mean and spread of the columns that hold numbers, of the patients that a network learnt from."""

    mean: Mapping[str, float]
    spread: Mapping[str, float]

    @classmethod
    def fitted(cls, rows: Iterable[Codes], columns: Sequence[Column]) -> Scaler:
        """Of the known values of these patients alone; 0 and 1 where nobody's is known."""
        patients = list(rows)
        mean, spread = {}, {}
        for name in (column.name for column in columns if not column.words):
            known = np.array([codes[name] for codes in patients if name in codes])
            mean[name] = float(known.mean()) if known.size else 0.0
            spread[name] = float(known.std()) if known.size and known.std() > 0 else 1.0
        return cls(mean, spread)

    def as_json(self) -> dict[str, dict[str, float]]:
        return {"mean": dict(self.mean), "spread": dict(self.spread)}

    @classmethod
    def from_json(cls, values: Mapping[str, Mapping[str, float]]) -> Scaler:
        return cls(dict(values["mean"]), dict(values["spread"]))

    def table(self, rows: Sequence[Codes], columns: Sequence[Column]) -> tuple[torch.Tensor, torch.Tensor]:
        """Values, float32, and which are missing (true), both (patients, columns)."""
        values = np.zeros((len(rows), len(columns)), dtype=np.float32)
        missing = np.ones(values.shape, dtype=bool)
        for row, codes in enumerate(rows):
            for index, column in enumerate(columns):
                if column.name in codes:
                    values[row, index] = self._scaled(column, codes[column.name])
                    missing[row, index] = False
        return torch.from_numpy(values), torch.from_numpy(missing)

    def _scaled(self, column: Column, value: float) -> float:
        return value if column.words else (value - self.mean[column.name]) / self.spread[column.name]
