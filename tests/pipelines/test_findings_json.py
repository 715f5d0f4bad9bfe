"""Findings as JSON: the parts that a small exam does not have."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np

from pipelines.contract import (
    METASTASIS,
    Case,
    Contribution,
    Envelope,
    Exam,
    ExamFiles,
    Explanation,
    Findings,
    Likelihood,
    MapKind,
    MaskOrigin,
    ModelIdentity,
    Nomogram,
    NomogramAxis,
    Patient,
    PredictionSet,
    ScalarMap,
    Score,
    Structure,
    StructureKind,
    SurvivalCurve,
    TimePoint,
    Volume,
)
from pipelines.findings_json import findings_json

GRID = Volume(np.zeros((2, 3, 4), np.float32), np.eye(4), "1.2.3")
WALL = np.zeros((2, 3, 4), dtype=bool)
WALL[0, 1] = True
MODEL = ModelIdentity("rp_net", "net", "1.0", "abc", "phantom", "def", True, "tests", "none")
SALIENCY = ScalarMap(MapKind.GRAD_CAM, GRID, np.ones((2, 3, 4), dtype=bool), "last layer", MODEL)


def made_findings() -> Findings:
    files = ExamFiles(
        TimePoint.RESTAGING, ("1.2",), date(2024, 4, 12), Patient("P1", "", "Doe^Jane", "", ""), chosen={}
    )
    exam = Exam(
        files=files,
        t2=GRID,
        t2_paths=(),
        dwi={},
        adc=None,
        ce_t1=None,
        mask=None,
        structures=(Structure(StructureKind.RECTAL_WALL, WALL, MaskOrigin.MODEL, "drawn", "net", "1.0"),),
        maps=(ScalarMap(MapKind.KURTOSIS_K, GRID, WALL, "b 0/600/1200/1800"),),
    )
    axis = NomogramAxis("EMVI", (("negative", 0.0), ("positive", 40.0)), "positive", 40.0)
    score = Score(
        MODEL,
        METASTASIS,
        0.4,
        0.3,
        0.5,
        "bootstrap",
        Likelihood.MODERATE,
        Envelope(True),
        time_points=(TimePoint.RESTAGING,),
        curve=SurvivalCurve((0.0, 12.0), (1.0, 0.9), (1.0, 0.8), (1.0, 0.95), "the exam"),
        nomogram=Nomogram((axis,), 40.0, ((0.1, 10.0), (0.4, 40.0))),
        explanations=(Explanation(TimePoint.RESTAGING, "t2", SALIENCY, 1 / 3),),
        possible=PredictionSet(0.9, event=True, no_event=True),
        contributions=(Contribution("EMVI at baseline", "positive", 2 / 3),),
        contribution_unit="log hazard",
    )
    return Findings(Case(None, exam), scores=(score,))


def test_structures_and_maps_stand_as_what_they_are_without_their_arrays() -> None:
    (exam,) = findings_json(made_findings())["exams"]
    (structure,) = exam["structures"]
    assert (structure["kind"], structure["voxels"], structure["shape"]) == ("rectal_wall", 4, [2, 3, 4])
    assert exam["maps"] == [
        {"kind": "k", "how": "b 0/600/1200/1800", "model": None, "shape": [2, 3, 4], "valid": 4},
    ]


def test_a_score_has_its_times_curve_nomogram_and_explanations() -> None:
    (score,) = json.loads(json.dumps(findings_json(made_findings())))["scores"]
    assert score["time_points"] == ["restaging"]
    assert score["curve"]["event_free"] == [1.0, 0.9]
    assert score["nomogram"]["axes"][0]["ticks"] == [["negative", 0.0], ["positive", 40.0]]
    assert score["nomogram"]["risk"] == [[0.1, 10.0], [0.4, 40.0]]
    (explanation,) = score["explanations"]
    assert explanation["inside_share"] == 0.333333333
    assert (explanation["raised"], explanation["area_share"]) == (True, None)
    assert explanation["map"]["model"]["name"] == "net"
    assert score["contributions"] == [["EMVI at baseline", "positive", 0.666666667]]
    assert score["contribution_unit"] == "log hazard"
    assert score["possible"] == {"coverage": 0.9, "event": True, "no_event": True, "refer": True}


def test_a_score_without_them_says_so() -> None:
    findings = made_findings()
    plain = replace(findings.scores[0], curve=None, nomogram=None, explanations=(), possible=None)
    (score,) = findings_json(replace(findings, scores=(plain,)))["scores"]
    assert (score["curve"], score["nomogram"], score["explanations"]) == (None, None, [])
    assert score["possible"] is None
