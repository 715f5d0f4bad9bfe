from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.case import load_exam
from pipelines.contract import ExamFiles, ModelInputs, Role, TimePoint
from pipelines.exam import exam_files
from pipelines.inputs import input_cache
from pipelines.inputs.cache import Cache, Entry
from pipelines.inputs.input_cache import Preparation, from_entry, inputs_key, stored_inputs, to_entry
from pipelines.inputs.model_inputs import Preprocessing, model_inputs
from tests.pipelines.made_exam import made_exam
from tests.pipelines.made_up_exam import made_up_exam

B_VALUES = (0.0, 600.0, 1000.0, 1500.0, 2000.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ExamFiles:
    return exam_files(made_exam(tmp_path_factory.mktemp("exam")), TimePoint.BASELINE)


def same(one: ModelInputs, other: ModelInputs) -> bool:
    volumes = [(one.t2, other.t2), *((one.dwi[b], other.dwi[b]) for b in one.dwi)]
    volumes += [(a.volume, b.volume) for a, b in zip(one.maps, other.maps, strict=True)]
    volumes += [(one.ce_t1, other.ce_t1)] if one.ce_t1 is not None and other.ce_t1 is not None else []
    volumes += [(one.adc, other.adc)] if one.adc is not None and other.adc is not None else []
    arrays = all(
        np.array_equal(a.array, b.array, equal_nan=True)
        and np.array_equal(a.affine, b.affine)
        and a.frame_of_reference_uid == b.frame_of_reference_uid
        for a, b in volumes
    )
    facts = all(
        getattr(one, name) == getattr(other, name) for name in ("time_point", "refusal", "parameters")
    ) and list(one.dwi) == list(other.dwi)
    return arrays and facts


@pytest.mark.parametrize("b_values", [B_VALUES, (0.0, 500.0, 1000.0), (0.0,), ()])
def test_inputs_come_back_to_the_bit(b_values: tuple[float, ...]) -> None:
    inputs = model_inputs(made_up_exam(b_values=b_values, ce_t1=bool(b_values)))
    found = from_entry(to_entry(inputs))
    assert same(found, inputs)
    assert (found.ce_t1 is None) == (inputs.ce_t1 is None)
    assert (found.alignment is None) == (inputs.alignment is None)
    if found.alignment is not None and inputs.alignment is not None:
        assert found.alignment.how == inputs.alignment.how
        assert np.array_equal(found.alignment.matrix, inputs.alignment.matrix)


def test_a_loaded_exam_has_the_same_inputs_with_and_without_a_cache(files: ExamFiles, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    plain, _ = load_exam(files, None)
    first, _ = load_exam(files, None, preparation=Preparation(cache))
    second, _ = load_exam(files, None, preparation=Preparation(cache))
    assert plain.inputs is not None and first.inputs is not None and second.inputs is not None
    assert same(first.inputs, plain.inputs)
    assert same(second.inputs, plain.inputs)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_second_asking_computes_nothing(files: ExamFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    exam, _ = load_exam(files, None, preparation=Preparation(cache))
    monkeypatch.setattr(input_cache, "model_inputs", None)  # would fail if it were called
    assert same(Preparation(cache).inputs(exam), Preparation(cache).inputs(exam))
    assert stored_inputs(files, cache) is not None


def test_the_key_changes_with_any_pixel_series_time_point_and_parameter(files: ExamFiles, tmp_path: Path) -> None:
    key = inputs_key(files)
    assert key == inputs_key(replace(files, annotations=(), choices=("said otherwise",)))
    other = files.chosen[Role.T2_AXIAL].paths[0].read_bytes()
    changed = tmp_path / "changed.dcm"
    changed.write_bytes(other[:-1] + bytes([other[-1] ^ 1]))
    t2 = files.chosen[Role.T2_AXIAL]
    swapped = replace(t2, paths=(changed, *t2.paths[1:]))
    without = {role: series for role, series in files.chosen.items() if role is not Role.CE_T1}
    keys = {
        key,
        inputs_key(replace(files, chosen={**files.chosen, Role.T2_AXIAL: swapped})),
        inputs_key(replace(files, chosen=without)),
        inputs_key(replace(files, time_point=TimePoint.RESTAGING)),
        inputs_key(files, Preprocessing(b_limit=900.0)),
        inputs_key(files, Preprocessing(bias=None)),
    }
    assert len(keys) == 6


def test_what_could_not_be_loaded_today_is_not_remembered(files: ExamFiles, tmp_path: Path) -> None:
    exam, _ = load_exam(files, None)
    preparation = Preparation(Cache(tmp_path))
    for failed in (replace(exam, dwi={}), replace(exam, ce_t1=None)):
        preparation.inputs(failed)
        assert stored_inputs(files, Cache(tmp_path)) is None
    assert preparation.inputs(exam).dwi
    assert stored_inputs(files, Cache(tmp_path)) is not None
    assert preparation.inputs(replace(exam, dwi={})).dwi == {}


def test_an_entry_that_holds_something_else_is_made_again(files: ExamFiles, tmp_path: Path) -> None:
    exam, _ = load_exam(files, None)
    cache = Cache(tmp_path)
    cache.write(inputs_key(files), Entry({}, {"time_point": "baseline"}))
    assert same(Preparation(cache).inputs(exam), model_inputs(exam))
    assert stored_inputs(files, cache) is not None
