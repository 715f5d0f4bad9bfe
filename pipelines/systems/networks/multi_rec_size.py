"""The size of a MultiRecNet, and the six input variants of Liu Z. et al. 2025 (Radiology: Imaging Cancer, MultiRecNet).

A variant is a network of its own, made for the inputs that it names and for no others: which sequences have a stem, and
which clinical columns the table has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from pipelines.systems.networks.saint import Column, SaintSize

T2, ADC, DAPP, KAPP = "T2", "ADC", "Dapp", "Kapp"
SEQUENCES = (T2, ADC, DAPP, KAPP)
"""T2-weighted image, apparent diffusion coefficient, and diffusivity and kurtosis of the kurtosis model."""

# The paper's variables. How many words each may say is our reading of their definitions: cTNM I to III, cT1 to 4,
# cN0 to 2, pT0 to 4, pN0 to 2, AJCC grades 0 to 3; CEA over 5 ng/mL and CA19-9 over 37 U/mL or not.
PRETREATMENT = (
    Column("age_years"),
    Column("sex", 2),
    Column("cea_over_5", 2),
    Column("ca19_9_over_37", 2),
    Column("location", 3),
    Column("ctnm_stage", 3),
    Column("ct_stage", 4),
    Column("cn_stage", 3),
    Column("mrf_baseline", 2),
    Column("emvi_baseline", 2),
)
POSTOPERATIVE = (
    Column("differentiation", 3),
    Column("ypt_stage", 5),
    Column("ypn_stage", 3),
    Column("lymphovascular_invasion", 2),
    Column("perineural_invasion", 2),
    Column("adjuvant_chemotherapy", 2),
    Column("trg_ajcc", 4),
)


class Norm(StrEnum):
    """How the double convolutions normalise. Batch statistics keep how bright a map is as a whole; group statistics of
    the patient alone take that out at the first layer (a map of twice the ADC gives the same features), and with it
    what a quantitative map at a fixed scale is there to tell."""

    BATCH = "batch"
    GROUP = "group"


@dataclass(frozen=True)
class MultiRecNetSize:
    """``sequences``: one stem each, in this order. ``clinical``: the table's branch, or None. ``shape``: voxels of the
    input, (rows, columns, slices). ``base``: channels of a stem. ``place``: side in voxels of the convolution that
    weighs places. ``downs``: halvings below the fused maps.

    ``groups``: of the group normalisation behind the fusing convolution (and of Norm.GROUP), 0 for none there.
    ``dropout``: before the heads and in the attention's MLPs; the table has its own. ``reads``: measured features that
    the network reads of the tumour and its heads lean on; 0 as published.
    """

    sequences: tuple[str, ...] = SEQUENCES
    clinical: SaintSize | None = field(default_factory=lambda: SaintSize(PRETREATMENT + POSTOPERATIVE))
    shape: tuple[int, int, int] = (128, 128, 16)
    base: int = 16
    place: int = 7
    downs: int = 3
    attention_layers: int = 4
    attention_heads: int = 4
    groups: int = 8
    norm: Norm = Norm.BATCH
    dropout: float = 0.0
    reads: int = 0

    def __post_init__(self) -> None:
        if not self.sequences and self.clinical is None:
            raise ValueError("a network without sequences and without clinical columns has nothing to read")
        if len(set(self.sequences)) < len(self.sequences):
            raise ValueError(f"a sequence is named twice: {', '.join(self.sequences)}")
        if self.place % 2 == 0:
            raise ValueError(f"a convolution of {self.place} voxels a side has no middle")
        if self.downs < 1:
            raise ValueError(f"{self.downs} halvings below the fused maps: at least 1")
        if len(self.shape) != 3 or any(side < self.halved or side % self.halved for side in self.shape):
            raise ValueError(
                f"a shape of {self.shape} voxels: each side is halved to 1/{self.halved} and must allow it"
            )
        narrowest = self.base if self.norm is Norm.GROUP else self.fused
        if (
            self.groups < 0
            or (self.groups == 0 and self.norm is Norm.GROUP)
            or (self.groups and narrowest % self.groups)
        ):
            raise ValueError(f"{self.groups} groups do not share {narrowest} channels evenly")

    @property
    def halved(self) -> int:
        """By what the input's sides are divided at the bottom: 16 as published."""
        return 1 << (1 + self.downs)

    @property
    def fused(self) -> int:
        """Channels of the fused maps at half the input's sides: 64 as published."""
        return 4 * self.base

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the fused maps and of each level below them: 64, 128, 256, 256 as published."""
        return tuple(min(self.fused << level, 16 * self.base) for level in range(self.downs + 1))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MultiRecNetSize:
        rows, columns, slices = values["shape"]
        whole = ("base", "place", "downs", "attention_layers", "attention_heads", "groups", "reads")
        return cls(
            sequences=tuple(values["sequences"]),
            clinical=None if values["clinical"] is None else SaintSize.from_json(values["clinical"]),
            shape=(int(rows), int(columns), int(slices)),
            norm=Norm(values["norm"]),
            dropout=float(values["dropout"]),
            **{key: int(values[key]) for key in whole},
        )


class Variant(StrEnum):
    """The models that the paper compares, by its names."""

    ALL = "All"
    CLINICAL = "Clinical"
    PRECLINICAL = "Preclinical"
    T2 = "T2"
    T2_DKI = "T2+DKI"
    T2_DKI_PRECLINICAL = "T2+DKI+Preclinical"

    @property
    def sequences(self) -> tuple[str, ...]:
        if self in (Variant.CLINICAL, Variant.PRECLINICAL):
            return ()
        return (T2,) if self is Variant.T2 else SEQUENCES

    @property
    def columns(self) -> tuple[Column, ...]:
        """The paper's clinical columns; none where the variant reads images alone."""
        if self in (Variant.T2, Variant.T2_DKI):
            return ()
        return PRETREATMENT + POSTOPERATIVE if self in (Variant.ALL, Variant.CLINICAL) else PRETREATMENT

    def of(self, size: MultiRecNetSize, columns: tuple[Column, ...] | None = None) -> MultiRecNetSize:
        """The size for this variant. ``columns``: of a table other than the paper's; none for a variant without.

        Raises
        ------
        ValueError
            Where the size has no clinical branch to take the table's dimensions from, and the variant needs one.
        """
        columns = self.columns if columns is None else columns
        if not columns:
            return replace(size, sequences=self.sequences, clinical=None)
        if size.clinical is None:
            raise ValueError(f"{self} reads a clinical table, of which this size has no dimensions")
        return replace(size, sequences=self.sequences, clinical=replace(size.clinical, columns=columns))


PUBLISHED = MultiRecNetSize()
SMALL = MultiRecNetSize(
    clinical=SaintSize(PRETREATMENT + POSTOPERATIVE, dim=32, hidden=16, ratio=2, dropout=0.1),
    shape=(48, 48, 16),
    base=4,
    place=3,
    downs=2,
    attention_layers=1,
    attention_heads=2,
    dropout=0.1,
)
