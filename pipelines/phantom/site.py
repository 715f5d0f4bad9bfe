"""The synthetic hospitals: scanner, protocol and image quality. Outcome never depends on the site."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """One hospital's scanner and protocol. Times in ms, distances in mm, field in tesla."""

    name: str
    model: str
    field_t: float
    t2_spacing: float
    slice_step: float
    slice_thickness: float
    t2_te: float
    t2_tr: float
    dwi_te: float
    dwi_tr: float
    snr: tuple[float, float]
    bias: float
    epi_shift: tuple[float, float]
    b_value_also_in_siemens_tag: bool = False

    @property
    def institution(self) -> str:
        return f"Synthetic site {self.name}"


SITES = (
    Site("A", "Phantom 3T A", 3.0, 1.25, 4.0, 4.0, 101.0, 4200.0, 68.0, 5200.0, (38, 60), 0.16, (1.0, 2.5), True),
    Site("B", "Phantom 3T B", 3.0, 1.20, 4.2, 4.0, 96.0, 3800.0, 74.0, 6000.0, (34, 54), 0.22, (1.2, 3.0)),
    Site("C", "Phantom 1.5T C", 1.5, 1.30, 4.4, 4.0, 108.0, 4800.0, 82.0, 5600.0, (30, 44), 0.10, (1.0, 2.0)),
)


@dataclass(frozen=True)
class Preset:
    """How large and how many: matrices, slices, b-values (s/mm²). ``scale`` divides the site's in-plane spacing."""

    name: str
    t2_matrix: int
    slices: int
    dwi_matrix: int
    dwi_field_of_view: float
    b_values: tuple[float, ...]
    sagittal_matrix: int
    sagittal_slices: int
    scale: float = 1.0


SMALL = Preset("small", 160, 16, 96, 240.0, (0.0, 500.0, 1000.0), 144, 7)
FULL = Preset("full", 320, 16, 128, 240.0, (0.0, 600.0, 1000.0, 1500.0, 2000.0), 288, 15, 2.0)
