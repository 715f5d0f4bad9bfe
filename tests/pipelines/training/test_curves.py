from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.training.curves import compact, curves_file, draw_curves
from pipelines.training.fit import History


@dataclass(frozen=True)
class Network:
    history: History
    best_epoch: int


def learnt(epochs: int = 30, seed: int = 1) -> Network:
    noise = np.random.default_rng(seed).normal(0, 0.01, (epochs, 2))
    time = np.arange(epochs)
    train = 0.7 * np.exp(-time / 12) + noise[:, 0]
    validation = 0.62 + 0.0006 * (time - 14) ** 2 + noise[:, 1]
    history = tuple((float(t), float(v)) for t, v in zip(train, validation, strict=True))
    return Network(history, int(np.argmin(validation)))


def several(count: int) -> dict[str, Network]:
    return {f"post DWI, fold {i + 1}": learnt(30 + i, i) for i in range(count)}


def test_the_picture_grows_with_the_number_of_networks(tmp_path: Path) -> None:
    sizes = []
    for count in (1, 5, 6, 30):
        draw_curves(compact(several(count)), tmp_path / f"{count}.png")
        sizes.append(Image.open(tmp_path / f"{count}.png").size)
    assert sizes[1][0] == sizes[2][0] == sizes[3][0]
    assert sizes[1][1] < sizes[2][1] < sizes[3][1]


def test_both_losses_and_the_epoch_that_was_kept_are_drawn(tmp_path: Path) -> None:
    draw_curves(compact(several(2)), tmp_path / "new" / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "new" / "a.png").convert("RGB")).reshape(-1, 3).astype(int)
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x1F, 0x29, 0x33)):
        assert (np.abs(pixels - colour).max(axis=1) < 12).sum() > 20


def test_a_network_without_inner_validation_is_drawn_with_its_last_epoch(tmp_path: Path) -> None:
    alone = Network(tuple((1.0 / (i + 1), math.nan) for i in range(5)), 4)
    draw_curves(compact({"a": alone}), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert compact({"a": alone}) == {"a": {"best_epoch": 5, "train": [1.0, 0.5, 0.3333, 0.25, 0.2], "validation": None}}


def test_the_manifest_gets_numbers_that_any_json_reader_takes() -> None:
    network = learnt()
    found = json.loads(json.dumps(compact({"a": network}), allow_nan=False))["a"]
    assert np.allclose(found["validation"], [v for _, v in network.history], rtol=1e-3)
    assert found["validation"][found["best_epoch"] - 1] == min(found["validation"])


def test_the_picture_lies_beside_the_bundle(tmp_path: Path) -> None:
    assert curves_file(tmp_path / "dlrs.nomogram") == tmp_path / "dlrs.nomogram.curves.png"
