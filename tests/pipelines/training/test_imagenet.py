from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from pipelines.systems.networks import densenet, resnet
from pipelines.training.imagenet import ImageNetError, load_imagenet, read_checkpoint, words_of
from tests.pipelines.systems.networks.published import checkpoint, densenet121_shapes, resnet18_shapes


def saved(folder: Path, tensors: Mapping[str, object], stem: str = "resnet18") -> Path:
    """A file named as torchvision names them: after the first eight digits of its own SHA-256."""
    draft = folder / "draft.pth"
    torch.save(dict(tensors), draft)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()
    return draft.rename(folder / f"{stem}-{digest[:8]}.pth")


RESNET = checkpoint(resnet18_shapes())


def test_resnet18_takes_all_but_the_last_layer(tmp_path: Path) -> None:
    network = resnet.resnet18(resnet.PUBLISHED)
    last = network.fc.weight.clone()
    load_imagenet(network, read_checkpoint(str(saved(tmp_path, RESNET))))
    loaded = network.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in RESNET.items() if not name.startswith("fc."))
    assert torch.equal(network.fc.weight, last)


def test_densenet121_is_read_by_old_names_and_by_present_ones(tmp_path: Path) -> None:
    present = checkpoint(densenet121_shapes())
    # torchvision's file of 2017: denselayer1.norm.1.weight, and no count of batches.
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): value
        for name, value in present.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock4.denselayer16.norm.2.running_mean" in old
    networks = [densenet.densenet(densenet.PUBLISHED, channels=3) for _ in range(2)]
    for network, tensors in zip(networks, (present, old), strict=True):
        load_imagenet(network, read_checkpoint(str(saved(tmp_path, tensors, "densenet121"))))
    first, second = (network.state_dict() for network in networks)
    same = [torch.equal(first[name], second[name]) for name in first if not name.startswith("class_layers")]
    assert all(same)
    assert torch.equal(
        first["features.denseblock2.denselayer3.layers.conv1.weight"],
        present["features.denseblock2.denselayer3.conv1.weight"],
    )


def test_the_file_must_have_the_digest_that_its_name_says(tmp_path: Path) -> None:
    file = saved(tmp_path, {"fc.bias": torch.zeros(3)})
    assert read_checkpoint(str(file)).digest.startswith(file.stem[-8:])
    other = file.rename(tmp_path / "resnet18-f37072fd.pth")
    with pytest.raises(ImageNetError, match=r"f37072fd… was expected"):
        read_checkpoint(str(other))


def test_a_file_of_another_name_is_given_with_its_digest(tmp_path: Path) -> None:
    file = saved(tmp_path, {"fc.bias": torch.zeros(3)}).rename(tmp_path / "mine.pth")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert read_checkpoint(f"{file}:{digest}").words == f"ImageNet {digest}"
    assert read_checkpoint(f"{file}:{digest[:8].upper()}").digest == digest
    for given in (str(file), f"{file}:{digest[:5]}"):
        with pytest.raises(ImageNetError, match="its digest is not known"):
            read_checkpoint(given)
    with pytest.raises(ImageNetError, match="was expected"):
        read_checkpoint(f"{file}:{'0' * 64}")


def test_without_a_file_the_record_says_random() -> None:
    assert words_of(None) == "random initialisation"


def test_what_is_missing_left_over_or_of_another_shape_is_named(tmp_path: Path) -> None:
    wrong = dict(RESNET) | {"layer5.weight": torch.zeros(1), "conv1.weight": torch.zeros(64, 1, 7, 7)}
    del wrong["layer4.1.conv2.weight"]
    with pytest.raises(ImageNetError) as caught:
        load_imagenet(resnet.resnet18(resnet.PUBLISHED), read_checkpoint(str(saved(tmp_path, wrong))))
    assert "lacks layer4.1.conv2.weight; has layer5.weight too much; conv1.weight is [64, 1, 7, 7]" in str(caught.value)


def test_a_narrow_network_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    network = resnet.resnet18(resnet.SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ImageNetError, match=r"fit the published size with three input channels alone"):
        load_imagenet(network, read_checkpoint(str(saved(tmp_path, RESNET))))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_file_that_would_run_code_or_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageNetError, match="no checkpoint of weights alone"):
        read_checkpoint(str(saved(tmp_path, {"path": Path("x")})))
    with pytest.raises(ImageNetError, match="does not hold named tensors alone"):
        read_checkpoint(str(saved(tmp_path, {"epoch": 3})))
    noise = tmp_path / "noise.pth"
    noise.write_bytes(b"not a checkpoint")
    with pytest.raises(ImageNetError, match="no checkpoint of weights alone"):
        read_checkpoint(f"{noise}:{hashlib.sha256(noise.read_bytes()).hexdigest()}")
    with pytest.raises(ImageNetError, match="does not exist"):
        read_checkpoint(str(tmp_path / "resnet18-f37072fd.pth"))
