"""What the tests with third-party programs share: exams and their results, made once per session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.demo_patients import PATIENTS, SEED
from pipelines.phantom.cohort import write_patient
from tests.peers import real_run
from tests.peers.orthanc import Orthanc, running_orthanc
from tests.peers.scored import ScoredPair, scored_pair
from tests.real_pair import write_real_pair

SCORES_OUT = "[results]\nphantom_scores = true"
SCORED = ("demo_every_kind", "real_every_kind", "with_masks", "without_masks", "scores_withheld")


@pytest.fixture(scope="module")
def one_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An archive for all tests of a module."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc") / "archive") as orthanc:
        yield orthanc


@pytest.fixture
def orthanc(one_orthanc: Orthanc) -> Orthanc:
    """That archive, with nothing in it."""
    one_orthanc.clear()
    return one_orthanc


@pytest.fixture(scope="session")
def demo_every_kind(tmp_path_factory: pytest.TempPathFactory) -> ScoredPair:
    """The synthetic patient of `restage demo`, scored, with an object of every kind. Read only: all use the same."""
    folder = tmp_path_factory.mktemp("demo")
    truth = write_patient(folder / "patient", SEED, PATIENTS[0].index)
    exams = folder / "patient" / truth.patient_id
    return scored_pair(exams / "baseline", exams / "restaging", folder / "results")


@pytest.fixture(scope="session")
def demo_results(demo_every_kind: ScoredPair) -> ScoredPair:
    """The same patient with the objects that a viewer is sent."""
    return demo_every_kind.only("report", "seg", "summary", "pdf")


@pytest.fixture(scope="session")
def real_every_kind(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> ScoredPair:
    """The real studies with readers' masks, with an object of every kind. Read only."""
    folder = tmp_path_factory.mktemp("real")
    pair = write_real_pair(shared_data, folder)
    for exam in pair.exams:
        exam.seg.rename(exam.folder / exam.seg.name)
    return scored_pair(pair.baseline.folder, pair.restaging.folder, folder / "results")


@pytest.fixture(scope="session")
def with_masks(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> real_run.Outcome:
    """The real studies with readers' masks, and scores sent out. Read only."""
    return real_run.run(tmp_path_factory.mktemp("masks"), shared_data, SCORES_OUT, masks=True)


@pytest.fixture(scope="session")
def without_masks(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> real_run.Outcome:
    """The real studies without any mask. Read only."""
    return real_run.run(tmp_path_factory.mktemp("no_masks"), shared_data, SCORES_OUT, masks=False)


@pytest.fixture(scope="session")
def scores_withheld(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> real_run.Outcome:
    """The real studies with readers' masks as a node does it by default: no score leaves. Read only."""
    return real_run.run(tmp_path_factory.mktemp("withheld"), shared_data, "", masks=True)


@pytest.fixture(scope="session", params=SCORED)
def scored(request: pytest.FixtureRequest) -> ScoredPair:
    """The exams and result objects of the demo, of the real studies, and of each run of a node on them."""
    made: ScoredPair | real_run.Outcome = request.getfixturevalue(request.param)
    return made if isinstance(made, ScoredPair) else made.scored
