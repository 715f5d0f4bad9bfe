from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from pipelines.contract import Code, InputUnfit
from pipelines.volumes.real_world import real_world, real_world_unit

STORED = np.arange(12, dtype=np.uint16).reshape(3, 4)


def header(**attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPInstanceUID, dataset.BitsAllocated, dataset.PixelRepresentation = "1.2", 16, 0
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def mapping(first: int, last: int, unit: str = "", **more: Any) -> Dataset:
    made = Dataset()
    # Written as the implicit-VR reader finds them: with either VR, by the image's own sign.
    made.add_new("RealWorldValueFirstValueMapped", "SS" if first < 0 else "US", first)
    made.add_new("RealWorldValueLastValueMapped", "SS" if last < 0 else "US", last)
    if unit:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", unit
        made.MeasurementUnitsCodeSequence = [code]
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def linear(first: int, last: int, slope: float, intercept: float, unit: str = "") -> Dataset:
    return mapping(first, last, unit, RealWorldValueSlope=slope, RealWorldValueIntercept=intercept)


def test_without_a_word_stored_values_are_the_values() -> None:
    np.testing.assert_array_equal(real_world(STORED, header()), STORED)
    assert real_world(STORED, header()).dtype == np.float32


def test_a_real_world_value_mapping_goes_before_rescale_and_a_frames_own_before_the_shared_one() -> None:
    dataset = header(RescaleSlope=3, RescaleIntercept=-1)
    np.testing.assert_array_equal(real_world(STORED, dataset), STORED * 3.0 - 1)
    dataset.RealWorldValueMappingSequence = [linear(0, 4095, 0.5, 2, "um2/s")]
    np.testing.assert_array_equal(real_world(STORED, dataset), STORED * 0.5 + 2)
    assert real_world_unit(dataset) == "um2/s"
    shared, own = Dataset(), Dataset()
    shared.RealWorldValueMappingSequence = [linear(0, 4095, 7, 0)]
    np.testing.assert_array_equal(real_world(STORED, header(), (shared, own)), STORED * 7.0)
    own.RealWorldValueMappingSequence = [linear(0, 4095, 9, 0)]
    np.testing.assert_array_equal(real_world(STORED, header(), (shared, own)), STORED * 9.0)


def test_each_value_is_mapped_by_the_first_item_whose_range_holds_it_and_else_is_zero() -> None:
    items = [linear(2, 5, 10, 1), linear(4, 9, 100, 0)]
    dataset = header(RealWorldValueMappingSequence=items)
    expected = [0, 0, 21, 31, 41, 51, 600, 700, 800, 900, 0, 0]
    np.testing.assert_array_equal(real_world(STORED, dataset).ravel(), expected)
    with pytest.raises(InputUnfit, match="no stored value lies in the range"):
        real_world(STORED, header(RealWorldValueMappingSequence=[linear(100, 200, 1, 0)]))


def test_a_look_up_table_gives_the_entry_of_each_value() -> None:
    table = [0.5, 0.25, 8.0, -1.0]
    dataset = header(RealWorldValueMappingSequence=[mapping(3, 6, RealWorldValueLUTData=table)])
    np.testing.assert_array_equal(real_world(STORED, dataset).ravel()[2:8], [0, *table, 0])
    dataset.RealWorldValueMappingSequence[0].RealWorldValueLUTData = table[:3]
    with pytest.raises(InputUnfit) as refused:
        real_world(STORED, dataset)
    assert refused.value.code is Code.PIXELS_UNREADABLE


def test_signed_values_are_found_in_a_range_written_unsigned() -> None:
    signed = np.array([[-3, -2, -1, 0, 1]], dtype=np.int16)
    dataset = header(PixelRepresentation=1, RealWorldValueMappingSequence=[linear(65534, 1, 2, 0)])
    np.testing.assert_array_equal(real_world(signed, dataset), [[0, -4, -2, 0, 2]])


def test_a_modality_lut_is_applied_and_holds_its_ends() -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4, 3, 16])
    table.add_new("LUTData", "US", [50, 60, 80, 90])
    found = real_world(STORED, header(ModalityLUTSequence=[table])).ravel()
    np.testing.assert_array_equal(found, [50, 50, 50, 50, 60, 80, 90, 90, 90, 90, 90, 90])


def test_padding_and_its_range_become_zero_whatever_the_intercept() -> None:
    one = real_world(STORED, header(PixelPaddingValue=4, RescaleSlope=1, RescaleIntercept=100)).ravel()
    np.testing.assert_array_equal(one[[3, 4, 5]], [103, 0, 105])
    several = real_world(STORED, header(PixelPaddingValue=6, PixelPaddingRangeLimit=4, RescaleIntercept=100)).ravel()
    np.testing.assert_array_equal(several[3:8], [103, 0, 0, 0, 107])
    signed = header(PixelRepresentation=1, PixelPaddingValue=63536, RescaleIntercept=1)
    np.testing.assert_array_equal(real_world(np.array([[-2000, 5]], dtype=np.int16), signed), [[0, 6]])


def test_philips_scale_slope_changes_nothing() -> None:
    dataset = header(RescaleSlope=3)
    dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.002)
    np.testing.assert_array_equal(real_world(STORED, dataset), STORED * 3.0)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputUnfit, match="not finite"):
        real_world(np.array([[np.nan, 1.0]], dtype=np.float32), header())
