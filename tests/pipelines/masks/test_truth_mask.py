from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contract import Code, InputUnfit, Role, TimePoint
from pipelines.exam import exam_files
from pipelines.masks.truth_mask import read_truth
from pipelines.volumes.volume import load_volume
from tests.pipelines.phantom.made_exams import patient_of, written


def test_the_truth_of_another_exam_is_refused(tmp_path: Path) -> None:
    home = written(tmp_path, patient_of("C"))
    t2 = load_volume(exam_files(home / "restaging", TimePoint.RESTAGING).chosen[Role.T2_AXIAL])
    with pytest.raises(InputUnfit) as refused:
        read_truth(home / "truth" / "baseline.dcm", t2)
    assert refused.value.code is Code.READER_MASK_UNFIT


def test_an_image_is_no_truth(tmp_path: Path) -> None:
    home = written(tmp_path, patient_of("C"))
    t2 = load_volume(exam_files(home / "restaging", TimePoint.RESTAGING).chosen[Role.T2_AXIAL])
    with pytest.raises(InputUnfit, match="no annotation"):
        read_truth(sorted((home / "restaging").glob("*.dcm"))[0], t2)
