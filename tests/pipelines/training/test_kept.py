from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from pipelines.training.kept import Kept, Snapshot, digest_of

TENSORS = {
    "weight": torch.randn(3, 4, generator=torch.Generator().manual_seed(1)),
    "state": torch.get_rng_state(),
    "count": torch.tensor(7),
    "half": torch.ones(2, dtype=torch.bfloat16),
}
DESCRIBED = {"history": [[0.1, math.nan], [1 / 3, math.inf]], "finished": False}
SNAPSHOT = Snapshot(TENSORS, DESCRIBED)
DIGEST = "ab" * 32


def test_a_snapshot_comes_back_bit_by_bit(tmp_path: Path) -> None:
    keep = Kept(tmp_path / "new" / "b.training")
    keep.write("post DWI, fold 3", DIGEST, SNAPSHOT)
    found = keep.read("post DWI, fold 3", DIGEST)
    assert found is not None
    assert found.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found.tensors[name].dtype is tensor.dtype
        assert torch.equal(found.tensors[name], tensor)
    assert found.described["history"][1] == [1 / 3, math.inf]
    assert math.isnan(found.described["history"][0][1])


def test_tensors_that_share_memory_are_kept_each(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    Kept(tmp_path).write("a", DIGEST, Snapshot({"one": shared, "two": shared, "part": shared[2:]}, {}))
    found = Kept(tmp_path).read("a", DIGEST)
    assert found is not None
    assert found.tensors["two"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.tensors["part"].tolist() == [2, 3, 4, 5]


def test_another_digest_or_name_finds_nothing(tmp_path: Path) -> None:
    Kept(tmp_path).write("a", DIGEST, SNAPSHOT)
    assert Kept(tmp_path).read("a", "cd" * 32) is None
    assert Kept(tmp_path).read("b", DIGEST) is None


@pytest.mark.parametrize("place", [0, 40, 200, -1])
def test_a_flipped_bit_counts_as_absent(tmp_path: Path, place: int) -> None:
    Kept(tmp_path).write("a", DIGEST, SNAPSHOT)
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    assert Kept(tmp_path).read("a", DIGEST) is None


@pytest.mark.parametrize("length", [0, 10, 32, 100])
def test_a_cut_off_file_counts_as_absent(tmp_path: Path, length: int) -> None:
    Kept(tmp_path).write("a", DIGEST, SNAPSHOT)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:length])
    assert Kept(tmp_path).read("a", DIGEST) is None


def test_a_write_that_fails_leaves_the_earlier_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = Kept(tmp_path)
    keep.write("a", DIGEST, SNAPSHOT)

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:50])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        keep.write("a", DIGEST, Snapshot({}, {"later": True}))
    found = keep.read("a", DIGEST)
    assert found is not None
    assert "weight" in found.tensors
    assert len(list(tmp_path.iterdir())) == 1


def test_the_folder_lies_beside_the_bundle_and_can_be_removed(tmp_path: Path) -> None:
    keep = Kept.beside(tmp_path / "bundles" / "signature_svm")
    assert keep.folder == tmp_path / "bundles" / "signature_svm.training"
    keep.remove()
    keep.write("a", DIGEST, SNAPSHOT)
    keep.remove()
    assert not keep.folder.exists()


def test_a_digest_follows_values_types_shapes_and_names() -> None:
    one = torch.zeros(4)
    others = [
        digest_of({}, {"a": one}),
        digest_of({}, {"b": one}),
        digest_of({}, {"a": one.reshape(2, 2)}),
        digest_of({}, {"a": one.to(torch.int32)}),
        digest_of({}, {"a": torch.tensor([0.0, 0.0, 0.0, 1e-30])}),
        digest_of({"seed": 1}, {"a": one}),
    ]
    assert len(set(others)) == len(others)
    assert digest_of({"x": 1, "y": 2}, {"a": one}) == digest_of({"y": 2, "x": 1}, {"a": torch.zeros(4)})
