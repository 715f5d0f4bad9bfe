"""Scalar images, maps and masks on a grid in patient coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipelines.contract.models import ModelIdentity

FloatArray = NDArray[np.float32]
MaskArray = NDArray[np.bool_]
Affine = NDArray[np.float64]


@dataclass(frozen=True)
class Volume:
    """A scalar image on a regular grid.

    ``array``: float32 (slices, rows, columns). ``affine``: float64 (4, 4), index (slice, row, column, 1) to
    LPS mm of the voxel centre; its last row is (0, 0, 0, 1).
    """

    array: FloatArray
    affine: Affine
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise ValueError(f"a volume has three non-empty axes, not shape {self.array.shape}")
        if self.affine.shape != (4, 4) or not np.array_equal(self.affine[3], [0, 0, 0, 1]):
            raise ValueError("an affine is 4×4 with last row (0, 0, 0, 1)")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along (slice, row, column) indices, mm."""
        step = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(step[0]), float(step[1]), float(step[2])

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel, mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def like(self, array: FloatArray) -> Volume:
        """Another image on this grid."""
        if array.shape != self.array.shape:
            raise ValueError(f"shape {array.shape} is not this grid's {self.array.shape}")
        return replace(self, array=array)


@dataclass(frozen=True)
class AdcMap:
    """Apparent diffusion coefficient, 10⁻³ mm²/s; ``valid`` marks the voxels with a usable value.

    ``b_values`` and ``fit`` say how it was made: ADCs of different b-sets are never compared silently. ``r_squared``:
    weighted coefficient of determination of the fit per voxel (None for the scanner's own map).
    """

    volume: Volume
    valid: MaskArray
    b_values: tuple[float, ...]
    fit: str
    r_squared: FloatArray | None = None


class MaskOrigin(StrEnum):
    READER = "reader"
    MODEL = "model"


@dataclass(frozen=True)
class Mask:
    """The tumour on the grid of the exam's axial T2, and where it comes from.

    ``algorithm`` and ``version`` name the model (empty for a reader's mask); ``reader`` the person or the content
    creator where the object names one; ``how`` says in one sentence which object it is and what was done to it.
    ``model`` is the full identity of the model that drew it (None for a reader's mask).
    """

    array: MaskArray
    origin: MaskOrigin
    how: str
    reader: str = ""
    algorithm: str = ""
    version: str = ""
    source_sop_uid: str = ""
    model: ModelIdentity | None = None


class StructureKind(StrEnum):
    """Anatomy that may be segmented beside the tumour."""

    RECTAL_WALL = "rectal_wall"
    LUMEN = "lumen"


@dataclass(frozen=True)
class Structure:
    """A structure other than the tumour on the grid of the exam's axial T2; the fields are those of :class:`Mask`."""

    kind: StructureKind
    array: MaskArray
    origin: MaskOrigin
    how: str
    algorithm: str = ""
    version: str = ""
    model: ModelIdentity | None = None


class MapKind(StrEnum):
    """A quantity per voxel. D and K are the diffusivity and kurtosis of the kurtosis model."""

    ADC = "adc"
    KURTOSIS_D = "d"
    KURTOSIS_K = "k"
    GRAD_CAM = "grad_cam"


@dataclass(frozen=True)
class ScalarMap:
    """A quantity per voxel on its own grid: ADC and D in 10⁻³ mm²/s, K and Grad-CAM (0 to 1) without unit.

    ``valid`` marks the voxels with a usable value; ``how`` says in words how it was made (b-values and fit, or the
    network and layer). ``model``: whose Grad-CAM it is. ``r_squared``: of a fit, per voxel.
    """

    kind: MapKind
    volume: Volume
    valid: MaskArray
    how: str
    model: ModelIdentity | None = None
    r_squared: FloatArray | None = None


@dataclass(frozen=True)
class Alignment:
    """A rigid correction of where an image lies: ``matrix`` (4, 4) maps its LPS coordinates to those of the fixed one.

    The identity where none was accepted. ``displacement_mm``: the largest displacement inside the fixed image's
    central region. ``how`` says in one sentence what was tried and decided; it goes into the report.
    """

    matrix: Affine
    accepted: bool
    displacement_mm: float
    how: str

    def moved(self, volume: Volume) -> Volume:
        """The same voxels at their corrected place: nothing is resampled."""
        return replace(volume, affine=self.matrix @ volume.affine) if self.accepted else volume
