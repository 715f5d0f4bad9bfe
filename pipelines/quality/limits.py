"""Limits of the quality gate: what is stated as a warning, and from where on an input is refused.

Sources: ESGAR consensus on rectal MRI (Beets-Tan et al., Eur Radiol 2018; 28:1465): T2 slices of 1–4 mm, at best 3 mm,
perpendicular to the tumour, and DWI with a highest b-value of at least 800 s/mm². The limits of motion, ghosts and gas
are our own: ``tests/benchmarks/quality.py`` measures them on clean exams and on planted faults.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """A value above ``warning`` is warned of, one above ``refusal`` refused; infinity: never."""

    warning: float
    refusal: float = float("inf")

    def __post_init__(self) -> None:
        if not self.warning <= self.refusal:
            raise ValueError(f"a refusal from {self.refusal:g} on would come before the warning from {self.warning:g}")


VERSION = 1
"""Raised with any limit or measure of the gate: what was prepared for training under another one is prepared anew."""

TOLERANCE = 0.02  # mm: thickness and positions are rounded decimal strings
SLICE_THICKNESS = Limits(4.0, 6.0)  # mm
SLICE_GAP = Limits(0.3, 1.0)  # of the thickness; from 1 on, half of the tissue is not seen
PIXEL = Limits(1.4)  # mm, the longer side
HIGHEST_B_WARNED, HIGHEST_B_REFUSED = 800.0, 500.0  # s/mm², below

# Degrees between T2 normal and the patient's long axis; slices perpendicular to a low rectum are rightly tilted by 30.
AXIAL_TILT = Limits(35.0, 45.0)
DWI_TILT = Limits(20.0)  # degrees between the normals of DWI and T2
PAIR_TILT = 25.0  # degrees between the T2 normals of the two exams

UNCOVERED = Limits(0.0, 0.05)  # of the tumour's voxels, outside the other sequence
CUT_OFF = Limits(0.25)  # tumour's area in an outermost T2 slice, of its largest
SLAB_UNCOVERED = Limits(0.20)  # of the central slab of the T2, where there is no mask
SLAB_ELSEWHERE = Limits(0.50, 0.50)  # beyond it the sequence shows another part of the body

B_SHIFT = Limits(2.0, 4.0)  # mm, upper quartile over slices; the worst clean real study has 1.5 (eddy currents)
SLICE_JITTER = Limits(1.2, 3.5)  # mm by which every second slice is displaced against its neighbours
T2_JITTER = Limits(1.2)
GHOST = Limits(0.06, 0.30)  # height of the peak half a field away, that of the image itself being 1

GAS = Limits(0.10, 0.40)  # of the tumour's voxels, with T2 signal, but a DWI signal like air's

SAME_SIZE = 1.25  # voxel sides of two exams within this factor are alike
SAME_TIME = 1.25  # echo and repetition times
SAME_FIELD = 0.2  # tesla
