"""The unit of a scanner's ADC map, as its header states it and as its values allow.

What headers say is not enough: GE writes "(mm²/s)" into the description of maps that hold 10⁻⁶ mm²/s, Siemens
maps state no unit at all. So only coded units count (PS3.3 C.7.6.16.2.11, UCUM) and a Rescale Type that names
a diffusivity (C.11.1.1.2 lets it hold any term); and what is stated has to agree with what a pelvis can hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.contract import Code, FloatArray, InputUnfit
from pipelines.headers.attributes import text
from pipelines.headers.frames import functional_groups, group_item
from pipelines.volumes.real_world import real_world_unit

# What a value is multiplied by to be in 10⁻³ mm²/s. Keys as `_plain` writes them: UCUM without dots, stars and braces.
UNITS = {
    "mm2/s": 1e3,
    "10-3mm2/s": 1.0,
    "um2/ms": 1.0,
    "10-9m2/s": 1.0,
    "10-6mm2/s": 1e-3,
    "um2/s": 1e-3,
    "10-12m2/s": 1e-3,
}
NAMES = {1e3: "mm²/s", 1.0: "10⁻³ mm²/s", 1e-3: "10⁻⁶ mm²/s"}
TISSUE = (0.1, 4.0)  # 10⁻³ mm²/s, fat to free fluid; the range is far narrower than the step between two units
PLAUSIBLE_MEDIAN = (0.3, 3.0)  # 10⁻³ mm²/s, of what lies in that range
NEEDED_SHARE = 0.5  # of the values, inside that range
SHORT_FORMS = str.maketrans({"µ": "u", "μ": "u", "²": "2", "⁻": "-", "³": "3", "⁶": "6", "⁹": "9"})
OMITTED = str.maketrans("", "", " .^*{}[]()×")


def stated_unit(header: Dataset) -> str:
    """The unit that the header of a map (or of its first frame) states; empty where it names no diffusivity.

    Rescale Type counts only without a Real World Value Mapping, which takes its place.
    """
    groups = next(functional_groups(header), None)
    unit = real_world_unit(header, groups)
    if unit is None:
        rescale = None if groups is None else group_item(groups, "PixelValueTransformationSequence")
        unit = text(header if rescale is None else rescale, "RescaleType")
    return unit if scale_of(unit) is not None else ""


def scale_of(unit: str) -> float | None:
    """The factor from ``unit`` (UCUM, or as people write it) to 10⁻³ mm²/s; None where it is no diffusivity."""
    return UNITS.get(_plain(unit))


def scale_of_map(array: FloatArray, stated: str = "") -> float:
    """The factor that brings a scanner's ADC map (any shape) to 10⁻³ mm²/s.

    Background (zero, negative or not finite) and the highest value where it is repeated (padding, clipping) do not
    count. Raises InputUnfit (ADC_UNITS) where no unit makes most values those of tissue, or another one than stated.
    """
    values = _counted(array)
    if not values.size:
        raise InputUnfit(Code.ADC_UNITS, "the ADC map has no positive value")
    plausible = [scale for scale in NAMES if _is_tissue(values * scale)]
    median = float(np.median(values))
    if not plausible:
        reason = f"median {median:.4g} of the ADC map is plausible in none of mm²/s, 10⁻³ and 10⁻⁶ mm²/s"
        raise InputUnfit(Code.ADC_UNITS, reason)
    declared = scale_of(stated)
    if declared is not None and declared != plausible[0]:
        reason = f"the ADC map states {stated}, its median {median:.4g} is plausible only in {NAMES[plausible[0]]}"
        raise InputUnfit(Code.ADC_UNITS, reason)
    return plausible[0]


def _plain(unit: str) -> str:
    return unit.translate(SHORT_FORMS).translate(OMITTED).removeprefix("x").lower()


def _counted(array: FloatArray) -> NDArray[np.float64]:
    values: NDArray[np.float64] = array[np.isfinite(array) & (array > 0)].astype(np.float64)
    if values.size and np.count_nonzero(values == values.max()) > 1 and values.min() < values.max():
        values = values[values < values.max()]
    return values


def _is_tissue(values: NDArray[np.float64]) -> bool:
    inside = values[(values >= TISSUE[0]) & (values <= TISSUE[1])]
    if inside.size < NEEDED_SHARE * values.size:
        return False
    return PLAUSIBLE_MEDIAN[0] <= float(np.median(inside)) <= PLAUSIBLE_MEDIAN[1]
