"""`restage clinical` from outside: what is printed, where, and with which exit code."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from node.app import opened
from node.clinical_commands import app
from node.clinical_file import TableUnfit
from node.config import load_config
from node.errors import NotFound
from node.schema import clinical_value_table
from tests.dicom_files import BASELINE, exam
from tests.node.conftest import Bench
from tests.running_node import write_config

LABS = "patient_id,date,cea_ng_ml\nP1,2024-01-09,7.2\nP9,2024-01-09,3\n"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def config(data_dir: Path) -> Path:
    write_config(data_dir, port=11112)
    return data_dir / "config.toml"


@pytest.fixture
def held(config: Path) -> Iterator[Bench]:
    with opened(load_config(config)) as (database, store):
        store.prepare()
        bench = Bench(database, store)
        bench.receive(*exam(BASELINE))
        bench.settle_and_plan()
        yield bench


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def labs(folder: Path, text: str = LABS, name: str = "labs.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_an_import_says_how_much_and_who_is_not_here(config: Path, held: Bench, tmp_path: Path) -> None:
    done = run("import", labs(tmp_path), "--config", config)
    assert done.exit_code == 0, done.output
    assert "2 values of 2 patients: 2 new, 0 of them in place of another value; 0 known already" in done.stdout
    assert "1 patient without an exam here yet; the values wait: P9" in done.stdout
    done = run("import", labs(tmp_path, LABS.replace("7.2", "8.1"), "new.csv"), "--config", config)
    assert "2 values of 2 patients: 1 new, 1 of them in place of another value; 1 known already" in done.stdout
    assert "P1  cea_ng_ml of 2024-01-09: 8.1 in place of 7.2" in done.stdout


def test_no_patient_and_no_value_stands_in_the_log(config: Path, held: Bench, tmp_path: Path) -> None:
    done = run("import", labs(tmp_path), "--config", config)
    assert "clinical.imported" in done.stderr
    said = re.sub(r"\d{4}-\d\d-\d\dT\S+", "", done.stderr)  # without when it was said, which may hold any digits
    for word in ("P1", "P9", "7.2", "2024-01-09", "labs.csv"):
        assert word not in said


def test_of_a_table_with_a_problem_nothing_is_imported(config: Path, held: Bench, tmp_path: Path) -> None:
    done = run("import", labs(tmp_path, LABS + "P1,2024-01-10,high\n"), "--config", config)
    assert isinstance(done.exception, TableUnfit)  # exit code 3, as every InputUnfit
    assert held.rows(clinical_value_table) == []


def test_show_prints_values_with_source_and_time_and_what_was_replaced(
    config: Path, held: Bench, tmp_path: Path
) -> None:
    run("import", labs(tmp_path), "--config", config)
    run("import", labs(tmp_path, LABS.replace("7.2", "8.1"), "new.csv"), "--config", config)
    lines = run("show", "P1", "--config", config).stdout.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["cea_ng_ml", "7.2", "2024-01-09", "labs.csv"],
        ["cea_ng_ml", "8.1", "2024-01-09", "new.csv"],
    ]
    assert [line.endswith("replaced") for line in lines[1:]] == [True, False]
    assert isinstance(run("show", "P8", "--config", config).exception, NotFound)


def test_retract_prints_what_no_longer_counts_and_show_remembers_it(config: Path, held: Bench, tmp_path: Path) -> None:
    run("import", labs(tmp_path), "--config", config)
    done = run("retract", "P1", "cea_ng_ml", "--date", "2024-01-09", "--config", config)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "1 value of patient P1 taken back:",
        "  cea_ng_ml 7.2 of 2024-01-09, imported from labs.csv",
    ]
    assert run("show", "P1", "--config", config).stdout.splitlines()[1].endswith("retracted")


def test_retract_refuses_what_is_not_there_and_a_day_that_is_none(config: Path, held: Bench, tmp_path: Path) -> None:
    run("import", labs(tmp_path), "--config", config)
    refused = run("retract", "P1", "ypn_stage", "--config", config).exception
    assert isinstance(refused, NotFound) and "there is cea_ng_ml of 2024-01-09" in str(refused)
    assert run("retract", "P1", "cea_ng_ml", "--date", "9.1.2024", "--config", config).exit_code == 2
    assert "no longer counts" in " ".join(run("retract", "--help").stdout.split())


def test_the_template_is_one_line_on_standard_output() -> None:
    done = run("template")
    assert done.stdout.startswith("patient_id,issuer,date,exam,") and done.stdout.count("\n") == 1
    assert "ng/mL" in done.stderr
