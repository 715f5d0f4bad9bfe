from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from pipelines.contract import Code, InputUnfit
from pipelines.diffusion.adc_units import scale_of, scale_of_map, stated_unit


def mapped(unit: str) -> Dataset:
    """A Real World Value Mapping item in the unit."""
    units, mapping = Dataset(), Dataset()
    units.CodeValue, units.CodingSchemeDesignator = unit, "UCUM"
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 1.0, 0.0
    mapping.MeasurementUnitsCodeSequence = Sequence([units])
    return mapping


def classic(unit: str) -> Dataset:
    header = Dataset()
    header.RealWorldValueMappingSequence = Sequence([mapped(unit)])
    return header


def enhanced(unit: str) -> Dataset:
    header, frame = Dataset(), Dataset()
    frame.RealWorldValueMappingSequence = Sequence([mapped(unit)])
    header.PerFrameFunctionalGroupsSequence = Sequence([frame])
    return header


def pelvis(scale: float, shape: tuple[int, int, int] = (6, 40, 40)) -> np.ndarray:
    """Values of fat, muscle, tumour and urine, stored so that one of them times ``scale`` is in 10⁻³ mm²/s."""
    rng = np.random.default_rng(3)
    return (rng.choice([0.25, 1.4, 1.0, 1.6, 2.9], size=shape) * rng.normal(1, 0.08, shape) / scale).astype(np.float32)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        ("mm2/s", 1e3),
        ("10-3.mm2/s", 1.0),
        ("10*-3.mm2/s", 1.0),
        ("um2/ms", 1.0),
        ("10-6.mm2/s", 1e-3),
        ("10^-6 mm^2/s", 1e-3),
        ("10⁻⁶ mm²/s", 1e-3),
        ("x10*-6{mm2/s}", 1e-3),
        ("µm2/s", 1e-3),
        ("um2/s", 1e-3),
    ],
)
def test_a_diffusivity_is_read_as_ucum_and_as_people_write_it(unit: str, scale: float) -> None:
    assert scale_of(unit) == scale


@pytest.mark.parametrize("unit", ["", "1", "US", "ms", "HU", "mm2", "no units"])
def test_other_units_state_nothing_of_diffusion(unit: str) -> None:
    assert scale_of(unit) is None
    assert stated_unit(classic(unit)) == ""


def test_the_unit_stands_in_the_real_world_value_mapping_of_the_object_or_of_a_frame() -> None:
    assert stated_unit(classic("um2/s")) == "um2/s"
    assert stated_unit(enhanced("10-6.mm2/s")) == "10-6.mm2/s"


def test_rescale_type_counts_only_without_a_mapping() -> None:
    header = Dataset()
    header.RescaleType = "10^-6 mm^2/s"
    assert stated_unit(header) == "10^-6 mm^2/s"
    header.RealWorldValueMappingSequence = Sequence([mapped("mm2/s")])
    assert stated_unit(header) == "mm2/s"
    frame, transformation, multiframe = Dataset(), Dataset(), Dataset()
    transformation.RescaleType = "um2/s"
    frame.PixelValueTransformationSequence = Sequence([transformation])
    multiframe.PerFrameFunctionalGroupsSequence = Sequence([frame])
    assert stated_unit(multiframe) == "um2/s"


def test_a_description_states_nothing() -> None:
    """GE describes maps of 10⁻⁶ mm²/s as "Apparent Diffusion Coefficient (mm²/s)"."""
    header = Dataset()
    header.SeriesDescription = "Apparent Diffusion Coefficient (mm²/s)"
    assert stated_unit(header) == ""


@pytest.mark.parametrize("scale", [1e3, 1.0, 1e-3])
def test_the_unit_is_the_one_that_makes_most_values_tissue(scale: float) -> None:
    assert scale_of_map(pelvis(scale)) == scale


@pytest.mark.parametrize("scale", [1e3, 1.0, 1e-3])
def test_padding_background_and_a_narrow_cut_do_not_hide_the_unit(scale: float) -> None:
    map_ = pelvis(scale)
    map_[:, :8], map_[:, 8:12], map_[:, 12:34] = 0, -1, 65535 if scale < 1 else 40 / scale
    assert scale_of_map(map_) == scale
    assert scale_of_map(pelvis(scale, (3, 12, 9))) == scale


def test_noise_in_unmasked_air_does_not_hide_the_unit() -> None:
    map_ = pelvis(1e-3)
    map_[:, :12] = np.random.default_rng(8).normal(0, 6000, map_[:, :12].shape)
    assert scale_of_map(map_) == 1e-3


@pytest.mark.parametrize("values", [[], [0.0, -3.0, np.nan], [30.0, 45.0, 60.0], [0.02, 0.01], [30000.0, 60000.0]])
def test_what_no_unit_explains_is_refused(values: list[float]) -> None:
    with pytest.raises(InputUnfit) as refused:
        scale_of_map(np.array(values, dtype=np.float32))
    assert refused.value.code is Code.ADC_UNITS


def test_a_stated_unit_that_the_values_contradict_is_refused_by_name() -> None:
    assert scale_of_map(pelvis(1e-3), "um2/s") == 1e-3
    with pytest.raises(InputUnfit) as refused:
        scale_of_map(pelvis(1e-3), "10-3.mm2/s")
    assert refused.value.code is Code.ADC_UNITS
    assert "10-3.mm2/s" in refused.value.reason
    assert "10⁻⁶ mm²/s" in refused.value.reason
