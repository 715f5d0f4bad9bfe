"""The clinical record of a patient: what is known beside the images, typed, by the names that cohort.csv uses.

Values are numbers (the unit stands in the name), words of a fixed vocabulary, or days. What is not known is absent;
nothing is ever filled in. The vocabularies, units and plausible ranges are in :mod:`pipelines.clinical.items`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

Value = float | str | date


class Item(StrEnum):
    """One column of a clinical table. ``_baseline`` and ``_restaging`` say of which exam's time a value speaks."""

    SEX = "sex"
    AGE_YEARS = "age_years"
    THERAPY = "therapy"
    THERAPY_START = "therapy_start"
    THERAPY_END = "therapy_end"
    SURGERY_DATE = "surgery_date"
    HISTOLOGY = "histology"
    CT_STAGE = "ct_stage"
    CN_STAGE = "cn_stage"
    CEA = "cea_ng_ml"
    CA19_9 = "ca19_9_u_ml"
    LOCATION = "location"
    EMVI_BASELINE = "emvi_baseline"
    EMVI_RESTAGING = "emvi_restaging"
    CRM_BASELINE = "crm_baseline"
    CRM_RESTAGING = "crm_restaging"
    MWT_BASELINE = "mwt_baseline_mm"
    MWT_RESTAGING = "mwt_restaging_mm"
    LENGTH_BASELINE = "length_baseline_mm"
    LENGTH_RESTAGING = "length_restaging_mm"
    DTAV_BASELINE = "dtav_baseline_mm"
    DTAV_RESTAGING = "dtav_restaging_mm"
    DIFFERENTIATION = "differentiation"
    YPT_STAGE = "ypt_stage"
    YPN_STAGE = "ypn_stage"
    TRG_AJCC = "trg_ajcc"
    TRG_MANDARD = "trg_mandard"
    TRG_DWORAK = "trg_dworak"
    TRG_MR = "trg_mr"
    LYMPHOVASCULAR_INVASION = "lymphovascular_invasion"
    PERINEURAL_INVASION = "perineural_invasion"
    ADJUVANT_CHEMOTHERAPY = "adjuvant_chemotherapy"


@dataclass(frozen=True)
class ClinicalRecord:
    """What is known of one patient. ``origins`` says in words where each value comes from, for the report; ``dates``
    when each was true, where that is known."""

    values: Mapping[Item, Value] = field(default_factory=dict)
    origins: Mapping[Item, str] = field(default_factory=dict)
    dates: Mapping[Item, date] = field(default_factory=dict)

    def number(self, item: Item) -> float | None:
        """A number; None where it is not known. TypeError where the item is none."""
        value = self.values.get(item)
        if value is not None and not isinstance(value, float):
            raise TypeError(f"{item} is no number")
        return value

    def word(self, item: Item) -> str:
        """A word of the item's vocabulary; '' where it is not known. TypeError where the item is none."""
        value = self.values.get(item, "")
        if not isinstance(value, str):
            raise TypeError(f"{item} is no word")
        return value

    def told(self, items: Iterable[Item]) -> tuple[str, ...]:
        """The known ones of these items in words, with where each comes from: what a score says that it used."""
        return tuple(
            self.origins.get(item) or f"{item} {self.values[item]}"
            for item in dict.fromkeys(items)
            if item in self.values
        )

    def day(self, item: Item) -> date | None:
        """A day; None where it is not known. TypeError where the item is none."""
        value = self.values.get(item)
        if value is not None and not isinstance(value, date):
            raise TypeError(f"{item} is no date")
        return value


UNKNOWN = ClinicalRecord()
