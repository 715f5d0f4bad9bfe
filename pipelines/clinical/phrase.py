"""A clinical value in words, as reports and the command line say it: "CEA 7.2 ng/mL", "EMVI at baseline positive"."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.clinical.items import KINDS, Quantity
from pipelines.contract import Item, Value

NAMES: Mapping[Item, str] = {
    Item.SEX: "sex",
    Item.AGE_YEARS: "age",
    Item.THERAPY: "therapy",
    Item.THERAPY_START: "therapy began",
    Item.THERAPY_END: "therapy ended",
    Item.SURGERY_DATE: "surgery",
    Item.HISTOLOGY: "histology",
    Item.CT_STAGE: "clinical T stage",
    Item.CN_STAGE: "clinical N stage",
    Item.CEA: "CEA",
    Item.CA19_9: "CA 19-9",
    Item.LOCATION: "location",
    Item.EMVI_BASELINE: "EMVI at baseline",
    Item.EMVI_RESTAGING: "EMVI at restaging",
    Item.CRM_BASELINE: "CRM at baseline",
    Item.CRM_RESTAGING: "CRM at restaging",
    Item.MWT_BASELINE: "maximum wall thickness at baseline",
    Item.MWT_RESTAGING: "maximum wall thickness at restaging",
    Item.LENGTH_BASELINE: "tumour length at baseline",
    Item.LENGTH_RESTAGING: "tumour length at restaging",
    Item.DTAV_BASELINE: "distance to the anal verge at baseline",
    Item.DTAV_RESTAGING: "distance to the anal verge at restaging",
    Item.DIFFERENTIATION: "differentiation",
    Item.YPT_STAGE: "pathological T stage",
    Item.YPN_STAGE: "pathological N stage",
    Item.TRG_AJCC: "tumour regression",
    Item.TRG_MANDARD: "tumour regression",
    Item.TRG_DWORAK: "tumour regression",
    Item.TRG_MR: "tumour regression on MRI",
    Item.LYMPHOVASCULAR_INVASION: "lymphovascular invasion",
    Item.PERINEURAL_INVASION: "perineural invasion",
    Item.ADJUVANT_CHEMOTHERAPY: "adjuvant chemotherapy",
}


def phrase(item: Item, value: Value) -> str:
    """Name, value and unit: "CEA 7.2 ng/mL", "therapy began 2026-03-10"."""
    kind = KINDS[item]
    unit = f" {kind.unit}" if isinstance(kind, Quantity) else ""
    return f"{NAMES[item]} {written(value)}{unit}"


def written(value: Value) -> str:
    """The value as text that :func:`pipelines.clinical.items.read_value` reads back as the same value."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value if isinstance(value, str) else value.isoformat()
