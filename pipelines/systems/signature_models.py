"""The models of system 1: which columns each of them sees, and in which order the node tries them.

Zhang et al. compare support vector machines on single sequences, on pairs of sequences and on all three, with and
without the change (pre − post) of each signature; ``FDL`` sees the six signatures, ``CR`` the clinical-radiological
values that selection left, ``CRD_published`` both. Here ``CRD`` sees measured features too, and ``FDL_measured`` is the
same without clinical values. A model of several sequences has a variant per subset of them that it was trained for:
without contrast-enhanced T1 another machine is used, never an empty image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from pipelines.contract import TimePoint
from pipelines.systems.signature_inputs import Sequence

T2, DWI, CE_T1 = Sequence.T2, Sequence.DWI, Sequence.CE_T1
SUBSETS: Mapping[str, tuple[Sequence, ...]] = {"ce_t1_t2_dwi": (CE_T1, T2, DWI), "t2_dwi": (T2, DWI)}
MEASURED = (
    "pre_adc_mean",
    "pre_log_volume",
    "pre_t2_spread",
    "post_adc_mean",
    "post_slope",
    "post_curvature",
    "post_log_volume",
    "post_thickness",
    "post_t2_median",
    "post_t2_dark_share",
    "post_t2_skewness",
    "post_dwi_ratio",
    "change_adc_mean",
    "change_log_volume",
)
CR, FDL, FDL_MEASURED, CRD_PUBLISHED, CRD = "CR", "FDL", "FDL_measured", "CRD_published", "CRD"
FALLBACK = (CRD, FDL_MEASURED, FDL)
"""What the node uses: the first of these, in its first subset, that the case has the inputs for."""


@dataclass(frozen=True)
class Variant:
    """One machine. ``columns``: of the table, without clinical ones, which training adds where ``clinical``."""

    model: str
    subset: str
    sequences: tuple[Sequence, ...]
    columns: tuple[str, ...]
    clinical: bool = False

    @property
    def key(self) -> str:
        """Unique in a bundle, and what a report calls it."""
        return f"{self.model} {self.subset}".strip()

    @property
    def compared_only(self) -> bool:
        """Whether this model is neither used by the node nor one of the paper's main ones."""
        return self.model not in (CR, FDL, FDL_MEASURED, CRD_PUBLISHED, CRD)


def signature_name(time_point: TimePoint, sequence: Sequence) -> str:
    """``pre_t2``, ``post_dwi``, …, as the paper names them."""
    return f"{'pre' if time_point is TimePoint.BASELINE else 'post'}_{sequence}"


def signatures_of(sequences: tuple[Sequence, ...], delta: bool = False) -> tuple[str, ...]:
    """The columns of these sequences: both signatures each, and their change."""
    times = ("pre", "post", "delta") if delta else ("pre", "post")
    return tuple(f"{time}_{sequence}" for sequence in sequences for time in times)


def variants(measured: tuple[str, ...]) -> tuple[Variant, ...]:
    """Every machine of a bundle; ``measured``: the features of ``MEASURED`` that the cohort has."""
    return (*_main(measured), *_single(), *_fused())


def _main(measured: tuple[str, ...]) -> Iterator[Variant]:
    for subset, sequences in SUBSETS.items():
        signatures = signatures_of(sequences)
        yield Variant(CRD, subset, sequences, (*signatures, *measured), clinical=True)
        yield Variant(FDL_MEASURED, subset, sequences, (*signatures, *measured))
        yield Variant(CRD_PUBLISHED, subset, sequences, signatures, clinical=True)
        yield Variant(FDL, subset, sequences, signatures)
    yield Variant(CR, "", (), (), clinical=True)


def _single() -> Iterator[Variant]:
    for sequence in Sequence:
        pre, post = signatures_of((sequence,))
        for times, columns in (
            ("pre", (pre,)),
            ("post", (post,)),
            ("pre+post", (pre, post)),
            ("pre+post+delta", signatures_of((sequence,), delta=True)),
        ):
            yield Variant(f"{times}_{sequence}", "", (sequence,), columns)


def _fused() -> Iterator[Variant]:
    for pair in combinations(Sequence, 2):
        name = "+".join(pair)
        yield Variant(name, "", pair, signatures_of(pair))
        yield Variant(f"{name}+delta", "", pair, signatures_of(pair, delta=True))
    full = tuple(Sequence)
    yield Variant(f"{FDL}+delta", "", full, signatures_of(full, delta=True))
