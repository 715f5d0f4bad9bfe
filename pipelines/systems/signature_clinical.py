"""Clinical and radiological values as numbers: what the CR model of system 1 may choose from.

The margin and vascular invasion are coded negative 1, positive 0, as in Zhang et al.; stages by their number. What is
not known is not a number, and no model that needs it is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from pipelines.contract import ClinicalRecord, Item

_SIGNS = {"negative": 1.0, "positive": 0.0}
_SEXES = {"M": 1.0, "F": 0.0}
_STAGE = re.compile(r"c[TN](\d)")

Coding = Callable[[ClinicalRecord, Item], float]


def _number(record: ClinicalRecord, item: Item) -> float:
    value = record.number(item)
    return math.nan if value is None else value


def _logarithm(record: ClinicalRecord, item: Item) -> float:
    """ln(1 + x): blood markers are skewed."""
    return math.log1p(_number(record, item))


def _sign(record: ClinicalRecord, item: Item) -> float:
    return _SIGNS.get(record.word(item), math.nan)


def _sex(record: ClinicalRecord, item: Item) -> float:
    return _SEXES.get(record.word(item), math.nan)


def _stage(record: ClinicalRecord, item: Item) -> float:
    found = _STAGE.match(record.word(item))
    return float(found[1]) if found else math.nan


CODED: Mapping[Item, Coding] = {
    Item.SEX: _sex,
    Item.AGE_YEARS: _number,
    Item.CEA: _logarithm,
    Item.CA19_9: _logarithm,
    **dict.fromkeys((Item.MWT_BASELINE, Item.MWT_RESTAGING, Item.LENGTH_BASELINE, Item.LENGTH_RESTAGING), _number),
    **dict.fromkeys((Item.DTAV_BASELINE, Item.DTAV_RESTAGING), _number),
    **dict.fromkeys((Item.CRM_BASELINE, Item.CRM_RESTAGING, Item.EMVI_BASELINE, Item.EMVI_RESTAGING), _sign),
    Item.CT_STAGE: _stage,
    Item.CN_STAGE: _stage,
}
"""The candidates of Zhang et al., section 2.3 and table 1, with how each becomes a number."""
CLINICAL = tuple(str(item) for item in CODED)


def coded(record: ClinicalRecord) -> dict[str, float]:
    """Every candidate by name; NaN where it is not known."""
    return {str(item): coding(record, item) for item, coding in CODED.items()}
