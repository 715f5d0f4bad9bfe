"""The command line: exit codes that mean something, one line for every error, and no torch where none is needed."""

from __future__ import annotations

import ast
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from rich.text import Text
from typer.main import get_command

import node
from node.__main__ import _processes, app, main
from node.app import opened
from node.config import load_config
from pipelines.phantom.cohort import write_cohort
from tests.dicom_files import BASELINE, RESTAGING, exam, of_other_patient, t2_axial, write
from tests.node.conftest import Bench
from tests.running_node import write_config

HEAVY = {"torch", "monai", "SimpleITK", "highdicom", "sklearn", "matplotlib"}
README = Path(__file__).resolve().parents[2] / "README.md"
VERBS = sorted(command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


class Ran:
    """Exit code and what was printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def line(self) -> str:
        """The one line of the error."""
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()


Restage = Callable[..., Ran]


@pytest.fixture
def restage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Restage:
    """Run the command in this process."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["restage", *map(str, arguments)])
        capsys.readouterr()  # what the test itself has logged
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0 if code is None else 1, captured.out, captured.err)

    return run


@pytest.fixture
def config(data_dir: Path) -> Path:
    write_config(data_dir, port=11112)
    return data_dir / "config.toml"


@pytest.fixture
def held(config: Path) -> Iterator[Bench]:
    """The database and store of the configured node, with a pair."""
    with opened(load_config(config)) as (database, store):
        store.prepare()
        bench = Bench(database, store)
        bench.receive(*exam(BASELINE), *exam(RESTAGING))
        bench.settle_and_plan()
        yield bench


def test_every_command_of_the_readme_is_there() -> None:
    used = set(re.findall(r"restage ([a-z]+)[ `]", README.read_text(encoding="utf-8")))
    verbs = {*VERBS, *(group.name for group in app.registered_groups)}
    assert {*used, "demo", "work"} == verbs


def test_help_of_every_verb_is_text_and_imports_nothing_heavy() -> None:
    """In one process of its own: what is imported there is what the help needs."""
    code = f"""
import sys
from typer.testing import CliRunner
from node.__main__ import app
for verb in {VERBS!r}:
    done = CliRunner().invoke(app, [verb, "--help"])
    assert done.exit_code == 0, (verb, done.output)
    assert "Usage" in done.output and len(done.output.splitlines()) > 5, (verb, done.output)
print(*sorted({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_status_and_serve_import_nothing_heavy(config: Path) -> None:
    code = f"""
import sys
import node.app, node.receive, node.send, node.plan
sys.argv = ["restage", "status", "--config", {str(config)!r}]
from node.__main__ import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == ""


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["serve", "work", "check", "status", "retry"])
def test_a_configuration_that_cannot_be_used_is_one_line_and_2(restage: Restage, tmp_path: Path, verb: str) -> None:
    (tmp_path / "config.toml").write_text("[node]\nport = 70000\n")
    ran = restage(verb, "--config", tmp_path / "config.toml")
    assert ran.code == 2
    for word in ("config.toml", "node.port", "70000", "1 to 65535"):
        assert word in ran.line


def test_a_configuration_that_is_not_there_is_one_line_and_2(restage: Restage, tmp_path: Path) -> None:
    ran = restage("status", "--config", tmp_path / "nowhere.toml")
    assert ran.code == 2
    assert "nowhere.toml" in ran.line


def test_as_a_program_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[node]\nae_title = 7\n")
    command = [sys.executable, "-m", "node", "serve", "--config", str(tmp_path / "config.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "node.ae_title = 7" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["unknown"], ["status", "--no-such-option"], ["unpair", "seven"], ["pair", "1.2.3"], ["score"]]
)
def test_a_command_that_is_wrong_is_2(restage: Restage, arguments: list[str]) -> None:
    ran = restage(*arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_without_a_command_the_help_is_shown(restage: Restage) -> None:
    ran = restage()
    assert "serve" in ran.out + ran.err
    assert "Research use only" in ran.out + ran.err


def test_what_is_not_there_is_one_line_and_1(restage: Restage, config: Path) -> None:
    for arguments, named in (
        (["retry", "--job", "99"], "there is no job 99"),
        (["retry", "--delivery", "98"], "there is no delivery 98"),
        (["unpair", "97"], "there is no pair 97"),
        (["pair", "1.2.3", "1.2.4"], "there is no study 1.2."),
    ):
        ran = restage(*arguments, "--config", config)
        assert ran.code == 1
        assert named in ran.line


def test_a_folder_that_is_not_there_is_one_line_and_1(restage: Restage, tmp_path: Path) -> None:
    ran = restage("classify", tmp_path / "nowhere")
    assert ran.code == 1
    assert ran.line == f"no such folder: {tmp_path / 'nowhere'}"


def test_a_database_that_cannot_be_used_is_one_line(restage: Restage, config: Path) -> None:
    (config.parent / "data").mkdir()
    (config.parent / "data" / "restage.sqlite").write_bytes(b"this is no database" * 500)
    ran = restage("status", "--config", config)
    assert ran.code in (1, 2)
    assert "restage.sqlite" in ran.line


def test_a_database_of_a_newer_version_is_one_line(restage: Restage, config: Path) -> None:
    restage("status", "--config", config)
    with opened(load_config(config)) as (database, _), database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    ran = restage("status", "--config", config)
    assert ran.code in (1, 2)
    assert "newer" in ran.line


# --- status, retry, pair, unpair ---------------------------------------------------------------------------------


def test_the_status_of_a_new_node_is_empty(restage: Restage, config: Path) -> None:
    assert "Nothing has been received" in restage("status", "--config", config).out
    ran = restage("status", "--json", "--config", config)
    assert (ran.code, json.loads(ran.out)) == (0, {"patients": []})


def test_the_status_is_one_json_document(restage: Restage, config: Path, held: Bench) -> None:
    ran = restage("status", "--json", "--config", config)
    (patient,) = json.loads(ran.out)["patients"]
    assert len(patient["exams"]) == 2
    assert "READY" in restage("status", "--config", config).out


def test_a_search_that_is_not_there_cannot_be_made_again(restage: Restage, config: Path, held: Bench) -> None:
    ran = restage("retry", "--search", 7, "--config", config)
    assert ran.code == 1
    assert "there is no search 7" in ran.err


def test_retry_says_how_much_is_tried_again(restage: Restage, config: Path, held: Bench) -> None:
    ran = restage("retry", "--config", config)
    assert ran.code == 0
    assert "0 jobs, 0 deliveries, 0 searches" in ran.out


def test_retry_of_what_has_not_failed_says_so(restage: Restage, config: Path, held: Bench) -> None:
    ran = restage("retry", "--job", 1, "--config", config)
    assert ran.code == 1
    assert "job 1 is READY" in ran.line


def test_a_pair_is_taken_apart_and_paired_again(restage: Restage, config: Path, held: Bench) -> None:
    assert restage("unpair", 1, "--config", config).code == 0
    held.settle_and_plan()
    assert held.pairs()[0][2] == "WITHDRAWN"
    assert restage("pair", BASELINE.uid, RESTAGING.uid, "--config", config).code == 0
    held.settle_and_plan()
    assert held.pairs()[0][2] == "READY"


def test_a_pair_of_two_patients_is_refused_in_one_line(restage: Restage, config: Path, held: Bench) -> None:
    other = of_other_patient(replace(RESTAGING, number=5))
    held.receive(*t2_axial(other))
    ran = restage("pair", BASELINE.uid, other.uid, "--config", config)
    assert ran.code == 1
    assert "different patient IDs" in ran.line


# --- classify and score ------------------------------------------------------------------------------------------


def test_classify_prints_one_json_list_and_names_what_was_skipped(restage: Restage, tmp_path: Path) -> None:
    folder = tmp_path / "exam [1] [/2]"
    write(exam(BASELINE), folder)
    (folder / "notes.txt").write_text("no DICOM")
    ran = restage("classify", folder, "--json")
    assert ran.code == 0
    assert {one["role"] for one in json.loads(ran.out)} == {"t2_axial", "dwi", "other"}
    assert "notes.txt" in ran.line
    assert "[1] [/2]" in ran.line
    assert "t2_axial" in restage("classify", folder).out


def test_real_studies_are_classified_as_they_are(restage: Restage, shared_data: Path) -> None:
    ran = restage("classify", shared_data / "prostatex_0000_0001", "--json")
    found = json.loads(ran.out)
    roles = [one["role"] for one in found]
    for role in ("t2_axial", "t2_sagittal", "t2_coronal", "dwi", "adc"):
        assert roles.count(role) == (3 if role == "t2_axial" else 2), role  # one axial T2 was repeated
    assert {tuple(one["b_values"]) for one in found if one["role"] == "dwi"} == {(50.0, 400.0, 800.0)}
    assert all(one["reason"] for one in found)
    assert {one["code"] for one in found if one["role"] == "other"} >= {"LOCALIZER", "CALCULATED_B_VALUE"}


@pytest.fixture
def without_models(tmp_path: Path) -> Path:
    """A configuration that asks for measurements in readers' masks alone: no bundle is loaded."""
    (tmp_path / "config.toml").write_text("[scoring]\nsystems = []\n")
    return tmp_path / "config.toml"


def test_two_patients_are_refused_with_3_and_the_reason(restage: Restage, tmp_path: Path, without_models: Path) -> None:
    write(exam(BASELINE), tmp_path / "before")
    write(exam(of_other_patient(RESTAGING)), tmp_path / "after")
    folders = ["--baseline", tmp_path / "before", "--restaging", tmp_path / "after", "--out", tmp_path / "out"]
    ran = restage("score", *folders, "--config", without_models)
    assert ran.code == 3
    assert "two patients" in ran.line
    assert not (tmp_path / "out").exists()


def test_bundles_that_are_not_there_are_one_line_and_2(restage: Restage, tmp_path: Path) -> None:
    write(exam(BASELINE), tmp_path / "before")
    (tmp_path / "config.toml").write_text('[scoring]\nbundles = "nowhere"\n')
    folders = ["--baseline", tmp_path / "before", "--out", tmp_path / "out"]
    ran = restage("score", *folders, "--config", tmp_path / "config.toml")
    assert ran.code == 2
    assert "nowhere" in ran.line


# --- help, and what is written ------------------------------------------------------------------------------------


def test_every_help_text_is_shown_with_its_brackets() -> None:
    """Sections of config.toml stand in brackets, which are markup to the library that prints the help."""
    told = [parameter.help for command in get_command(app).commands.values() for parameter in command.params]  # type: ignore[attr-defined]  # a group
    shown = [Text.from_markup(text or "").plain for text in told]
    assert shown == [(text or "").replace("\\", "") for text in told]
    assert "Take [scoring] and [[series_rule]] from here." in shown
    assert "Take [[series_rule]] from here." in shown


@pytest.mark.parametrize("name", ["folders", "demo"])
def test_text_is_written_as_utf8_whatever_the_machines_language(name: str) -> None:
    """A report says "cm³": with the C locale's ASCII, or a Windows code page, it could not be written."""
    tree = ast.parse((Path(node.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]
    writing = [one for one in calls if isinstance(one.func, ast.Attribute) and one.func.attr == "write_text"]
    assert writing
    assert all("encoding" in {keyword.arg for keyword in one.keywords} for one in writing)


# --- phantom -----------------------------------------------------------------------------------------------------

HOSPITAL = "patient_id,site,baseline,restaging,good_response\nP1,A,P1/baseline,P1/restaging,1\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("cohort"), 1, 5).parent


@pytest.fixture
def cohort(written: Path, tmp_path: Path) -> Path:
    """A folder with one patient's line of the cohort with seed 5."""
    shutil.copy(written / "cohort.csv", tmp_path)
    return tmp_path


def test_a_cohort_of_a_hospital_is_never_written_over(restage: Restage, tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text(HOSPITAL)
    ran = restage("phantom", "--out", tmp_path, "--patients", 1, "--workers", 1)
    assert ran.code == 3
    assert "cohort.csv" in ran.line
    assert "not a synthetic cohort" in ran.line
    assert (tmp_path / "cohort.csv").read_text() == HOSPITAL
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.csv"]


@pytest.mark.parametrize("other", [["--seed", 6], ["--seed", 5, "--preset", "full"], ["--seed", 5, "--sites", "C"]])
def test_another_cohort_is_never_written_over(restage: Restage, cohort: Path, other: list[object]) -> None:
    before = (cohort / "cohort.csv").read_bytes()
    ran = restage("phantom", "--out", cohort, "--patients", 1, "--workers", 1, *other)
    assert ran.code == 3
    assert "another" in ran.line
    assert (cohort / "cohort.csv").read_bytes() == before


def test_the_same_command_again_writes_the_same(restage: Restage, cohort: Path) -> None:
    before = (cohort / "cohort.csv").read_bytes()
    assert restage("phantom", "--out", cohort, "--patients", 1, "--seed", 5).code == 0
    assert (cohort / "cohort.csv").read_bytes() == before


def test_a_report_needs_a_cohort(restage: Restage, tmp_path: Path) -> None:
    ran = restage("phantom", "--out", tmp_path / "typo", "--report")
    assert ran.code == 3
    assert "typo" in ran.line
    assert "no cohort.csv" in ran.line
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("option", [["--seed", 99], ["--sites", "A"], ["--preset", "full"], ["--workers", 2]])
def test_a_report_of_what_is_there_takes_no_option_of_what_is_made(
    restage: Restage, cohort: Path, option: list[object]
) -> None:
    ran = restage("phantom", "--out", cohort, "--report", *option)
    assert ran.code == 2
    assert str(option[0]) in ran.err
    assert "--patients" in ran.err


@pytest.mark.parametrize(
    ("cores", "patients", "processes"), [(8, 240, 4), (2, 240, 2), (8, 20, 2), (8, 3, 1), (None, 99, 1)]
)
def test_as_many_processes_as_are_worth_their_start(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, patients: int, processes: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert _processes(patients) == processes
