from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from pipelines.systems.networks.multi_rec_net import (
    PUBLISHED,
    SMALL,
    MultiRecNet,
    MultiRecNetSize,
    MultiRecOutput,
    Norm,
    Variant,
)
from pipelines.systems.networks.saint import Column, SaintSize

TABLE = SaintSize((Column("age_years"), Column("sex", 2), Column("stage", 3)), dim=8, heads=2, hidden=4, ratio=2)
SIZE = MultiRecNetSize(
    clinical=TABLE, shape=(16, 16, 8), base=4, place=3, downs=1, attention_layers=1, attention_heads=2, groups=2
)
IMAGES_ALONE = replace(SIZE, clinical=None)
Inputs = dict[str, torch.Tensor]


def network(size: MultiRecNetSize = SIZE) -> MultiRecNet:
    torch.manual_seed(21)
    return MultiRecNet(size)


def inputs(rows: int = 8, size: MultiRecNetSize = SIZE) -> Inputs:
    """A batch; of each patient at most one sequence and one value are missing, of some none."""
    generator = torch.Generator().manual_seed(22)
    given: Inputs = {}
    patients = torch.arange(rows)
    if size.sequences:
        count = len(size.sequences)
        given["images"] = torch.rand(rows, count, *size.shape, generator=generator)
        given["present"] = patients[:, None] % (count + 1) != torch.arange(count)
        given["present"][:, 0] |= count == 1
    if size.clinical is not None:
        words = torch.tensor([column.words for column in size.clinical.columns])
        coded = (patients[:, None] % words.clamp(min=1)).float()
        given["values"] = torch.where(words > 0, coded, torch.randn(rows, len(words), generator=generator))
        given["missing"] = patients[:, None] % (len(words) + 1) == torch.arange(len(words))
    return given


def rows_of(given: Inputs, rows: slice) -> Inputs:
    return {name: value[rows] for name, value in given.items()}


def flat(told: MultiRecOutput) -> torch.Tensor:
    """All outputs, (batch, number)."""
    parts = [told.recurrence[:, None], told.log_risk[:, None]]
    return torch.cat(parts + ([told.segmentation.flatten(1)] if told.segmentation is not None else []), dim=1)


def outputs(net: MultiRecNet, given: Inputs) -> torch.Tensor:
    with torch.no_grad():
        return flat(net(**given))


def parameters(net: torch.nn.Module | None) -> int:
    return sum(parameter.numel() for parameter in net.parameters()) if net is not None else 0


def twice(before: int, after: int) -> int:
    """Parameters of two convolutions of 3³ without bias, each with a normalisation's scale and shift."""
    return 27 * before * after + 27 * after * after + 4 * after


def image_parameters(sequences: int) -> int:
    """Of the published image branch, level by level."""
    stems = sequences * (twice(1, 16) + 16)  # and what stands for a missing sequence
    skip = twice(16 * sequences, 32) + 2 * 7**3  # and the convolution that weighs places
    halved = sequences * twice(16, 32)
    every = 32 * sequences  # channels of all sequences together: 128 of four
    norms = sequences * 2 * 2 * 32 + 2 * every
    attention = (
        sequences * 32 * 4 * 32 + 2 * every * 4 * every + sequences * 32 * 32
    )  # queries, keys and values, output
    mlp = sequences * (32 * 128 + 128 + 128 * 32 + 32)
    around = sequences * (2 * (32 * 32 + 32) + 2 * 32)  # embedding and reconstruction, and the norm between
    fused = 27 * every * 64 + 2 * 64
    encoder = twice(64, 128) + twice(128, 256) + twice(256, 256)
    decoder = twice(256 + 256, 128) + twice(128 + 128, 64) + twice(64 + 64, 32) + twice(32 + 32, 32) + 32 + 1
    return stems + skip + halved + 4 * (norms + attention + mlp) + around + fused + encoder + decoder


def table_parameters(columns: int, words: int) -> int:
    """Of the published clinical branch: one column is a number, the others may say so many words in all."""
    embedded = (1 * 100 + 100 + 100 * 256 + 256) + 256 * words + 256 * columns + 256  # MLP, words, missing, CLS
    block = 4 * 256**2 + (256 * 2048 + 2048 + 1024 * 256 + 256) + 2 * 2 * 256  # attention, gated MLP, two norms
    return embedded + block + 2 * 256


def test_the_published_size_has_12_2_million_parameters_and_each_is_accounted_for() -> None:
    # The authors publish no count. Pretreatment words: sex 2, CEA 2, CA19-9 2, location 3, cTNM 3, cT 4, cN 3, MRF 2,
    # EMVI 2; postoperative: differentiation 3, pT 5, pN 3, LVI 2, PNI 2, chemotherapy 2, TRG 4.
    assert Variant.ALL.of(PUBLISHED) == PUBLISHED
    before, after = 2 + 2 + 2 + 3 + 3 + 4 + 3 + 2 + 2, 3 + 5 + 3 + 2 + 2 + 2 + 4
    with torch.device("meta"):
        nets = {variant: MultiRecNet(variant.of(PUBLISHED)) for variant in Variant}
    assert parameters(nets[Variant.ALL].image) == image_parameters(4) == 11_099_087
    assert parameters(nets[Variant.ALL].clinical) == table_parameters(17, before + after) == 1_094_344
    heads = 2 * 512 + 1  # 256 of the image and 256 of the table, to a logit with intercept and a log risk without
    assert parameters(nets[Variant.ALL]) == 11_099_087 + 1_094_344 + heads == 12_194_456
    assert parameters(nets[Variant.T2_DKI]) == image_parameters(4) + 2 * 256 + 1 == 11_099_600
    assert parameters(nets[Variant.T2]) == image_parameters(1) + 2 * 256 + 1 == 10_083_152
    assert parameters(nets[Variant.CLINICAL]) == table_parameters(17, before + after) + 2 * 256 + 1
    assert parameters(nets[Variant.PRECLINICAL]) == table_parameters(10, before) + 2 * 256 + 1 == 1_087_689
    assert parameters(nets[Variant.T2_DKI_PRECLINICAL]) == image_parameters(4) + table_parameters(10, before) + heads


def test_feature_maps_have_the_published_shapes() -> None:
    with torch.device("meta"):
        image = MultiRecNet(PUBLISHED).image
        assert image is not None
        seen: dict[str, tuple[int, ...]] = {}
        for name in ("stems.3", "skip", "place", "halve.0", "attention", "fuse", "downs.0", "downs.1", "downs.2"):
            image.get_submodule(name).register_forward_hook(
                lambda _, __, out, name=name: seen.__setitem__(name, tuple(out.shape[1:]))
            )
        told = image(torch.zeros(1, 4, 128, 128, 16))
    assert seen == {
        "stems.3": (16, 128, 128, 16),
        "skip": (32, 128, 128, 16),
        "place": (32, 128, 128, 16),
        "halve.0": (32, 64, 64, 8),
        "attention": (4, 32, 64, 64, 8),  # 128 channels once concatenated
        "fuse": (64, 64, 64, 8),
        "downs.0": (128, 32, 32, 4),
        "downs.1": (256, 16, 16, 2),
        "downs.2": (256, 8, 8, 1),
    }
    assert tuple(told.pooled.shape) == (1, 256)
    assert tuple(told.segmentation.shape) == (1, 1, 128, 128, 16)


@pytest.mark.parametrize("variant", Variant)
def test_each_of_the_six_variants_runs_on_its_own_inputs(variant: Variant) -> None:
    size = variant.of(SIZE)
    told = network(size).eval()(**inputs(3, size))
    assert told.recurrence.shape == told.log_risk.shape == (3,)
    if variant in (Variant.CLINICAL, Variant.PRECLINICAL):
        assert told.segmentation is None
    else:
        assert told.segmentation is not None and told.segmentation.shape == (3, 1, 16, 16, 8)


def test_preclinical_variants_do_not_know_what_surgery_finds() -> None:
    for variant in (Variant.PRECLINICAL, Variant.T2_DKI_PRECLINICAL):
        names = {column.name for column in variant.columns}
        assert {"age_years", "emvi_baseline"} <= names
        assert not names & {"ypt_stage", "ypn_stage", "trg_ajcc", "differentiation", "adjuvant_chemotherapy"}


@pytest.mark.parametrize("norm", Norm)
def test_the_gradient_reaches_every_parameter(norm: Norm) -> None:
    net = network(replace(SIZE, norm=norm))
    told = flat(net(**inputs()))
    (told * torch.randn(told.shape, generator=torch.Generator().manual_seed(23))).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-7, name


def test_a_batch_of_one_and_of_eight_give_the_same_outputs() -> None:
    net, given = network(), inputs()
    net(**given)  # batch statistics that are not those of the beginning
    net.eval()
    together = outputs(net, given)
    for row in range(8):
        assert torch.allclose(outputs(net, rows_of(given, slice(row, row + 1)))[0], together[row], atol=1e-5)


def test_with_group_statistics_they_do_so_in_training_too() -> None:
    net, given = network(replace(SIZE, norm=Norm.GROUP)).train(), inputs()
    together = outputs(net, given)
    for row in range(8):
        assert torch.allclose(outputs(net, rows_of(given, slice(row, row + 1)))[0], together[row], atol=1e-5)


@pytest.mark.parametrize("stored", [0.0, 1e6, float("nan")])
def test_voxels_of_a_missing_sequence_do_not_matter_even_to_batch_statistics(stored: float) -> None:
    given = inputs()
    absent = ~given["present"][:, :, None, None, None]
    first, second = network().train(), network().train()
    assert torch.equal(
        outputs(first, given), outputs(second, given | {"images": given["images"].masked_fill(absent, stored)})
    )
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_a_missing_sequence_speaks_through_its_own_learned_vector() -> None:
    net, given = network(IMAGES_ALONE).eval(), inputs(size=IMAGES_ALONE)
    assert net.image is not None
    before = outputs(net, given)
    without = (~given["present"][:, 2]).nonzero()[:, 0].tolist()
    assert 0 < len(without) < 8
    with torch.no_grad():
        net.image.stems[2].missing += 1.0  # type: ignore[operator]  # a parameter
    after = outputs(net, given)
    assert [row for row in range(8) if not torch.allclose(before[row], after[row])] == without


def test_a_sequence_that_nobody_of_the_batch_has_is_learnt_as_missing_too() -> None:
    net, given = network(IMAGES_ALONE), inputs(size=IMAGES_ALONE)
    given["present"] = torch.tensor([[True, True, False, True]]).expand(8, 4)
    flat(net(**given)).sum().backward()
    assert net.image is not None
    assert net.image.stems[2].missing.grad.abs().max() > 0  # type: ignore[union-attr, operator]  # a parameter
    assert net.image.stems[2].convs.conv_0.conv.weight.grad is None  # type: ignore[union-attr]  # MONAI's


def test_no_mask_of_sequences_means_that_all_are_there() -> None:
    net, given = network(IMAGES_ALONE).eval(), inputs(size=IMAGES_ALONE)
    everything = torch.ones(8, 4, dtype=torch.bool)
    assert torch.equal(outputs(net, given | {"present": everything}), outputs(net, {"images": given["images"]}))


def test_a_stored_number_of_a_missing_value_does_not_matter_and_a_known_one_does() -> None:
    net, given = network().eval(), inputs()
    before = outputs(net, given)
    stored = given["values"].masked_fill(given["missing"], float("nan"))
    assert torch.equal(outputs(net, given | {"values": stored}), before)
    known = given["values"] + torch.tensor([1.0, 0.0, 0.0]) * ~given["missing"]
    changed = (outputs(net, given | {"values": known})[:, :2] - before[:, :2]).abs().amin(dim=1) > 1e-6
    assert torch.equal(changed, ~given["missing"][:, 0])


def test_batch_statistics_keep_the_level_of_a_map_and_group_statistics_take_it_out() -> None:
    """Twice the ADC everywhere: the features of a stem tell it apart, or they cannot."""
    images = inputs(2)["images"][:, 0]
    for norm, told_apart in ((Norm.BATCH, True), (Norm.GROUP, False)):
        net = network(replace(IMAGES_ALONE, norm=norm)).eval()
        assert net.image is not None
        with torch.no_grad():
            once, double = (net.image.stems[0](images * factor, None) for factor in (1.0, 2.0))
        assert torch.allclose(once, double, atol=1e-2) is not told_apart


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"images": torch.zeros(8, 4, 16, 16, 16)}, r"wanted are \(batch, 4, 16, 16, 8\).*T2, ADC, Dapp, Kapp"),
        ({"images": torch.zeros(8, 3, 16, 16, 8)}, r"\(8, 3, 16, 16, 8\): wanted"),
        ({"images": torch.zeros(8, 16, 16, 8)}, r"\(8, 16, 16, 8\): wanted"),
        ({"images": torch.zeros(7, 4, 16, 16, 8), "present": torch.ones(7, 4) > 0}, "7 patients and .* of 8"),
        ({"present": torch.ones(8, 3) > 0}, "true or false for each of 8 patients and of T2, ADC, Dapp, Kapp"),
        ({"present": torch.ones(8, 4)}, "true or false for each"),
        ({"present": torch.arange(8)[:, None].expand(8, 4) != 5}, r"rows \[5\] of the batch have none of T2"),
        ({"values": torch.zeros(8, 2), "missing": torch.zeros(8, 2) > 0}, "age_years, sex, stage"),
        ({"images": None, "present": None}, "reads images, and none were given"),
        ({"values": None, "missing": None}, "reads clinical values, and none were given"),
    ],
)
def test_inputs_that_are_not_the_sizes_are_refused(change: Inputs, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        network()(**inputs() | change)


def test_inputs_that_a_variant_does_not_read_are_refused_and_not_ignored() -> None:
    given = inputs()
    with pytest.raises(ValueError, match="reads no clinical values"):
        network(IMAGES_ALONE)(**given)
    with pytest.raises(ValueError, match="reads no images"):
        network(replace(SIZE, sequences=()))(**given)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"shape": (16, 18, 8)}, "each side is halved to 1/4"),
        ({"shape": (128, 128, 2)}, "each side is halved to 1/4"),
        ({"sequences": (), "clinical": None}, "nothing to read"),
        ({"sequences": ("T2", "T2")}, "named twice"),
        ({"groups": 5}, "5 groups do not share 16 channels"),
        ({"groups": 8, "norm": Norm.GROUP}, "8 groups do not share 4 channels"),
        ({"groups": 0, "norm": Norm.GROUP}, "0 groups"),
        ({"downs": 0}, "at least 1"),
        ({"place": 4}, "has no middle"),
    ],
)
def test_a_size_that_cannot_be_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        replace(SIZE, **change)  # type: ignore[arg-type]  # of several types


def test_a_variant_needs_the_dimensions_of_a_table() -> None:
    with pytest.raises(ValueError, match="Preclinical reads a clinical table"):
        Variant.PRECLINICAL.of(IMAGES_ALONE)
    own = Variant.PRECLINICAL.of(SIZE, (Column("age_years"),)).clinical
    assert own is not None and own.columns == (Column("age_years"),)


def test_the_small_network_reads_its_crops_with_a_fraction_of_the_parameters() -> None:
    net = network(SMALL).eval()
    told = outputs(net, inputs(1, SMALL))
    assert told.shape == (1, 2 + 48 * 48 * 16)
    assert parameters(net) < 400_000


@pytest.mark.parametrize("size", [PUBLISHED, SMALL, IMAGES_ALONE, replace(SIZE, norm=Norm.GROUP)])
def test_a_size_survives_json(size: MultiRecNetSize) -> None:
    assert MultiRecNetSize.from_json(json.loads(json.dumps(size.as_json()))) == size


def test_a_network_that_reads_features_leans_on_them_in_both_heads() -> None:
    size = replace(SIZE, reads=3)
    net = network(size).eval()
    with torch.inference_mode():
        found = net(**inputs(2, size))
        for head in (net.recurrence_of_features, net.log_risk_of_features):
            head.weight.zero_()  # type: ignore[union-attr, operator]  # torch's, untyped
        without = net(**inputs(2, size))
    assert found.features is not None and found.features.shape == (2, 3)
    assert not torch.allclose(found.recurrence, without.recurrence, atol=1e-4)
    assert not torch.allclose(found.log_risk, without.log_risk, atol=1e-4)


def test_the_published_size_reads_nothing_beside() -> None:
    assert PUBLISHED.reads == 0
    assert network().eval()(**inputs(2)).features is None
