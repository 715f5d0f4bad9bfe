from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt

from pipelines import segment
from pipelines.bundle import Bundle, BundleError, Weights, save_bundle
from pipelines.contract import TimePoint
from pipelines.envelope import fit_envelope
from pipelines.evaluation import segmenter as module
from pipelines.evaluation.segmenter import Outlined, Outlining, by_site, cut_of, draw, figures, hausdorff95, outline_all
from pipelines.inputs.model_inputs import inputs_of
from pipelines.segment import TumourSegmenter, segmenter_network, stored_weights
from pipelines.segmenter_cut import SegmenterCut, SegmenterExam
from tests.pipelines.made_up_exam import made_up_exam
from tests.pipelines.made_up_manifest import manifest
from tests.pipelines.made_up_segmenting import SIZE, segmenter_patients

HERE = Outlining(torch.device("cpu"))


class DarkT2(torch.nn.Module):
    """Stands in for a trained network: tumour is where the T2 is dark."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return (0.42 - batch[:, :1]) * 200


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bundle]:
    monkeypatch.setattr(segment, "segmenter_network", lambda size: DarkT2())
    yield stored(tmp_path / "segmenter", stored_weights(DarkT2()))
    module._segmenter.cache_clear()  # its network was the stand-in


def stored(folder: Path, weights: Weights) -> Bundle:
    facts = [SegmenterExam.of(e).facts for one in segmenter_patients() for e in one.exams.values()]
    described = manifest(
        system="segmenter",
        network=SIZE.as_json(),
        thresholds={"probability": 0.5, "min_volume_cm3": 5.0},  # the smallest tumours after therapy have 4
        envelope=fit_envelope(facts, of_mask=False),
    )
    return save_bundle(folder, described, {"network": weights})


def one(
    dice: float, *, site: str = "A", found: bool = True, volume: float = 11.0, distance: float | None = 2.0
) -> Outlined:
    return Outlined("P", site, TimePoint.BASELINE, dice, found, volume if found else 0.0, 10.0, distance)


def test_the_cut_is_the_bundles(bundle: Bundle) -> None:
    assert cut_of(bundle) == SegmenterCut(SIZE.spacing)


def test_the_outline_that_is_judged_is_the_one_the_node_draws(bundle: Bundle) -> None:
    exam = made_up_exam(radius=15.0, seed=0)  # as the first patient's
    drawn = TumourSegmenter(bundle, HERE.device).segment(exam).array
    (first, *_) = outline_all(bundle, segmenter_patients()[:1], HERE)
    truth = exam.mask
    assert truth is not None
    again = SegmenterCut(SIZE.spacing).cut(inputs_of(exam), truth.array, np.random.default_rng(0))
    known = SegmenterExam.of(again)
    found = TumourSegmenter(bundle, HERE.device).found(known.channels.astype(np.float32), known.grid, known.t2)
    assert (found == drawn).mean() > 0.9999  # channels are kept in half precision
    assert first.volume_cm3 == pytest.approx(found.sum() * 1.5 * 1.5 * 4.0 / 1000, rel=0.01)


def test_exams_and_outlines_travel_to_other_processes_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pool:
        """As a pool of spawned processes: everything goes there and back as bytes."""

        def __init__(self, workers: int, **_: object) -> None:
            assert workers == 3

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, function: Callable[[object], object], tasks: list[object], chunksize: int) -> object:
            return (travelled(travelled(function)(travelled(task))) for task in tasks)

    def travelled(thing):  # type: ignore[no-untyped-def]  # whatever it is
        return ForkingPickler.loads(ForkingPickler.dumps(thing))

    torch.manual_seed(1)
    bundle = stored(tmp_path / "segmenter", stored_weights(segmenter_network(SIZE)))
    seen: list[int] = []
    alone = outline_all(bundle, segmenter_patients()[:3], HERE)
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    how = Outlining(HERE.device, workers=3, progress=lambda what, done, total: seen.append(done))
    assert outline_all(bundle, segmenter_patients()[:3], how) == alone
    assert len({one.volume_cm3 for one in alone}) > 1  # the network says something of each exam
    assert seen == [1, 2, 3, 4, 5, 6]


def test_one_thread_outlines_and_the_others_come_back(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    found, threads = module.compared, []
    monkeypatch.setattr(module, "compared", lambda *a: (threads.append(torch.get_num_threads()), found(*a))[1])
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    outline_all(bundle, segmenter_patients()[:1], HERE)
    assert threads == [1, 1] and torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_a_bundle_that_is_replaced_meanwhile_is_noticed(bundle: Bundle) -> None:
    stored(bundle.folder, {"other": torch.zeros(1)})
    with pytest.raises(BundleError, match="was changed while it was judged"):
        outline_all(bundle, segmenter_patients()[:1], HERE)


def test_figures_stand_per_time_point_and_hospital_and_can_be_written(bundle: Bundle) -> None:
    found = figures(bundle, segmenter_patients(), HERE)
    json.dumps(found, allow_nan=False)
    assert list(found["baseline"]) == ["all", "A", "B"]
    assert found["baseline"]["all"]["exams"] == len(segmenter_patients())
    whole = found["baseline"]["all"]["dice_mean"]
    assert whole["value"] == pytest.approx(
        np.mean([e["dice"] for e in found["exams"] if e["time_point"] == "baseline"])
    )
    assert whole["ci"][0] <= whole["value"] <= whole["ci"][1] and whole["value"] > 0.9
    small = [e for e in found["exams"] if not e["found"]]
    assert small and all(e["true_cm3"] < 6.0 and e["dice"] == 0.0 and e["hausdorff95_mm"] is None for e in small)
    assert found["restaging"]["all"]["found_share"]["value"] == pytest.approx(1 - len(small) / 12)


def test_a_tumour_that_was_not_found_counts_with_dice_0_and_has_no_distance() -> None:
    missed = one(0.0, found=False, distance=None)
    summary = by_site([one(0.9), one(0.8), missed])["all"]
    assert summary["dice_mean"]["value"] == pytest.approx(1.7 / 3)
    assert summary["dice_median"]["value"] == 0.8
    assert summary["found_share"]["value"] == pytest.approx(2 / 3)
    assert summary["volume_bias_of_found"]["value"] == pytest.approx(0.1)
    assert summary["hausdorff95_mm_of_found"]["value"] == 2.0
    none = by_site([missed])["all"]
    assert none["hausdorff95_mm_of_found"] == none["volume_bias_of_found"] == {"value": None, "ci": None}
    assert by_site([]) == {}


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.8, 0.1, 200).clip(0, 1)
    low, high = by_site([one(float(value)) for value in values])["all"]["dice_mean"]["ci"]
    width = 2 * 1.96 * values.std() / np.sqrt(200)
    assert high - low == pytest.approx(width, rel=0.1)


def test_hospitals_are_told_apart() -> None:
    found = by_site([one(0.9, site="B"), one(0.5, site="A")])
    assert {name: group["dice_mean"]["value"] for name, group in found.items()} == {"all": 0.7, "A": 0.5, "B": 0.9}


def test_the_surface_distance_is_that_of_distance_maps() -> None:
    spacing = (3.0, 1.5, 1.0)
    index = np.indices((12, 40, 50)) * np.array(spacing)[:, None, None, None]
    a, b = (
        ((index - np.array(centre)[:, None, None, None]) ** 2).sum(axis=0) <= radius**2
        for centre, radius in (((18, 30, 25), 10.0), ((18, 33, 27), 12.0))
    )
    edges = [mask & ~binary_erosion(mask) for mask in (a, b)]
    to_b, to_a = (distance_transform_edt(~edge, sampling=spacing) for edge in edges[::-1])
    expected = max(np.percentile(to_b[edges[0]], 95), np.percentile(to_a[edges[1]], 95))
    assert hausdorff95(a, b, spacing) == pytest.approx(expected, abs=0.15)
    assert hausdorff95(a, a, spacing) == 0.0
    assert hausdorff95(a, np.zeros_like(a), spacing) is None


def test_the_pictures_are_drawn_from_the_figures_alone(bundle: Bundle, tmp_path: Path) -> None:
    found = json.loads(json.dumps(figures(bundle, segmenter_patients()[:4], HERE)))
    paths = draw(found, tmp_path)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths) and len(paths) == 2
    assert module.figures(bundle, (), HERE)["baseline"] == {}
