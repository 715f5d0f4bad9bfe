"""The house rules, held on the source itself: who may import whom, where each library lives, and how long things are.

A departure belongs in one of the tables below, with its reason beside it.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("node", "pipelines", "dicom_templates")
MODULE_LINES, FUNCTION_LINES = 350, 70
LONG_MODULES: Mapping[str, str] = {}
LONG_FUNCTIONS: Mapping[str, str] = {"node.migrations": "a migration is one list of statements, frozen once released"}

# Within node, from the bottom up. A station never imports another one: they meet in tables.
BOTTOM = {"node.errors", "node.records"}
PURE = {
    "node.commitment_failure",
    "node.demographics",
    "node.exams",
    "node.flow",
    "node.identity",
    "node.match",
    "node.part10",
    "node.pdv",
    "node.therapy",
    "node.words",
}
STATE = {
    "node.clinical",
    "node.clinical_retraction",
    "node.database",
    "node.schema",
    "node.due",
    "node.evidence",
    "node.lease",
    "node.ledger",
    "node.object_index",
    "node.store",
    "node.study",
    "node.jobs",
    "node.outbox",
    "node.commitment",
    "node.searches",
}
STATIONS = {
    "node.receive",
    "node.settle",
    "node.count",
    "node.geometry",
    "node.plan",
    "node.work",
    "node.send",
    "node.verify",
    "node.commit",
    "node.query",
}
# Who may construct stations or call into them.
COMPOSERS = {"node.app", "node.__main__", "node.demo"}

# Each library with the only modules (or packages) that import it, so that it can be replaced, or kept out of the
# listener, in one place. Tests may use everything.
PLACES: Mapping[str, set[str]] = {
    "pynetdicom": {
        "node.receive",
        "node.arrivals",
        "node.accepted",
        "node.crowd",
        "node.handshake",
        "node.fast_store",  # serves what pynetdicom negotiated, in its thread
        "node.association",
        "node.ask",
        "node.send",
        "node.commit",
        "node.event_report",  # what the listener and node.commit hear, on whichever association it comes
        "node.query",
        "node.intake",  # one object of a peer: for the listener, and for what a C-GET brings
        "node.retrieve",
        "node.check_peer",
        "node.check_priors",
        "node.standin",
    },
    # The phantom plays another party, whose workstation writes a mask: it must not share our templates.
    "highdicom": {"dicom_templates", "pipelines.phantom.truth"},
    "SimpleITK": {"pipelines.volumes.volume", "pipelines.registration.mutual_information"},
    "torch": {"pipelines"},
    "monai": {"pipelines"},
    "sklearn": {"pipelines"},
    "safetensors": {"pipelines.bundle", "pipelines.training.kept"},  # the second: half-trained networks
    "lifelines": {
        "pipelines.calibration",
        "pipelines.evaluation",
        "pipelines.training",
    },  # Cox models are fitted, judged
    "statsmodels": {"pipelines.evaluation", "pipelines.training"},
    "dcurves": {"pipelines.evaluation"},
    "shap": set(),  # tests compare the exact values with it
    "reportlab": {"pipelines.evaluation.report"},
    "jinja2": {"pipelines.evaluation.report"},
    "torchsurv": {"pipelines.training.dlrs_loss"},
    "matplotlib": {
        "dicom_templates",
        "pipelines.evaluation",
        "pipelines.training",  # learning curves
        "pipelines.phantom.report",  # the cohort's own charts
        "node.demo",  # these two write a PNG
        "node.folders",
    },
    "apscheduler": {"node.schedule"},
    "alembic": {"node.database", "node.migrations"},
    "sqlalchemy": {
        *STATE,
        "node.migrations",
        "node.settle",
        "node.plan",
        "node.gather",
        "node.decide",
        "node.overtaken",
        "node.status",
        "node.check",
        "node.fsck",
        "node.leftovers",
        "node.clock_step",
    },
    "pydantic": {
        "node.config",
        "node.config_errors",
        "node.config_values",
        "node.peer",
        "node.series_rule",
        "node.tls_section",
    },
    "cryptography": {"node.certificates", "node.check_tls"},
    "typer": {
        "node.__main__",
        "node.calibrate_command",
        "node.clinical_commands",
        "node.evaluate_command",
        "node.fsck_command",
        "node.decision_commands",
        "node.command",
        "node.pseudonym_command",
    },
    "rich": {"node.__main__", "node.check", "node.classified", "node.demo", "node.progress", "node.status"},
}
# Where torch.load may stand, with weights_only=True: others publish their weights in no other format.
WEIGHTS_ONLY = {"pipelines.training.imagenet"}
FORBIDDEN_LIBRARIES = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}

# Imports inside functions, which hide a dependency, and why these may.
LATE_IMPORTS: Mapping[str, str] = {
    "node.__main__": "each verb imports what it runs: `status` must not pay for torch",
    "node.clinical_commands": "as node.__main__, of which it is a part",
    "node.calibrate_command": "as node.__main__, of which it is a part",
    "node.fsck_command": "as node.__main__, of which it is a part",
    "node.decision_commands": "as node.__main__, of which it is a part",
    "node.evaluate_command": "as node.__main__, of which it is a part",
    "node.app": "the worker alone pays for torch, and it is started from here",
}

# What must not be loaded by what must be quick and small: seconds of import, 0.4 GB of memory.
HEAVY = {"torch", "monai", "SimpleITK", "highdicom", "sklearn", "scipy", "pandas", "matplotlib", "lifelines"}
LIGHT = ("node.app", "node.receive", "node.send", "node.status", "node.check", "node.__main__")
HEADERS_ONLY = ("pipelines.contract", "pipelines.clinical.items", "pipelines.roles.series", "pipelines.exam")


@dataclass(frozen=True)
class Import:
    module: str
    line: int
    late: bool


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    lines: int
    tree: ast.Module
    imports: tuple[Import, ...]


@cache
def modules() -> dict[str, Module]:
    paths = (path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py")))
    return {module.name: module for module in map(_parsed, paths)}


def _parsed(path: Path) -> Module:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, filename=str(path))
    return Module(name, path, len(text.splitlines()), tree, tuple(_imports(tree)))


def _imports(tree: ast.Module) -> Iterator[Import]:
    inside = {
        child
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, node in inside)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}: write it in full"
            # `from node import jobs` imports the module node.jobs.
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", node.lineno, node in inside)


def is_under(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def house_module(imported: str) -> str:
    """The longest prefix of an imported name that is one of our modules; '' for another library."""
    while imported and imported not in modules():
        imported = imported.rpartition(".")[0]
    return imported


def wrong(importers: set[str], forbidden: set[str]) -> list[str]:
    """'importer:line imports module' for each import of a forbidden module, or of one below it."""
    return [
        f"{module.name}:{found.line} imports {found.module}"
        for module in modules().values()
        if any(is_under(module.name, importer) for importer in importers)
        for found in module.imports
        if any(is_under(house_module(found.module) or found.module, place) for place in forbidden)
    ]


def test_pipelines_know_neither_the_node_nor_dicom_templates() -> None:
    assert wrong({"pipelines"}, {"node", "dicom_templates"}) == []


def test_dicom_templates_know_the_contract_and_nothing_else_of_the_pipelines() -> None:
    assert wrong({"dicom_templates"}, {"node"}) == []
    others = {name for name in modules() if is_under(name, "pipelines")} - {"pipelines", "pipelines.contract"}
    assert wrong({"dicom_templates"}, others) == []


def test_a_station_never_imports_another_station() -> None:
    for station in sorted(STATIONS):
        assert wrong({station}, STATIONS - {station}) == []


def test_only_the_composers_construct_stations() -> None:
    others = {name for name in modules() if is_under(name, "node")} - STATIONS - COMPOSERS - {"node"}
    assert wrong(others, STATIONS) == []


def test_records_and_errors_are_at_the_bottom() -> None:
    inner = {name for name in modules() if is_under(name, "node")} - {"node"}
    assert wrong(BOTTOM, inner - BOTTOM) == []


def test_pure_modules_have_no_state_and_know_no_library() -> None:
    inner = {name for name in modules() if is_under(name, "node")} - {"node"}
    assert wrong(PURE, inner - BOTTOM - PURE) == []
    for name in sorted(PURE):
        for found in modules()[name].imports:
            known = house_module(found.module) or found.module.split(".")[0] in sys.stdlib_module_names
            assert known, f"{name}:{found.line} imports {found.module}"


@pytest.mark.parametrize("library", sorted(PLACES))
def test_each_library_stays_in_its_place(library: str) -> None:
    outside = [
        f"{module.name}:{found.line}"
        for module in modules().values()
        if not any(is_under(module.name, place) for place in PLACES[library])
        for found in module.imports
        if is_under(found.module, library)
    ]
    assert outside == [], f"{library} belongs in {', '.join(sorted(PLACES[library]))}"


def test_no_module_runs_what_a_file_says() -> None:
    for module in modules().values():
        for found in module.imports:
            assert found.module.split(".")[0] not in FORBIDDEN_LIBRARIES, f"{module.name}:{found.line}"
        harmless = {
            node.func
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and module.name in WEIGHTS_ONLY and "weights_only=True" in ast.unparse(node)
        }
        for node in ast.walk(module.tree):
            loads = isinstance(node, ast.Attribute) and node.attr == "load" and ast.unparse(node.value) == "torch"
            assert not loads or node in harmless, f"{module.name}:{node.lineno} torch.load"  # type: ignore[attr-defined]  # an Attribute
            runs = isinstance(node, ast.Call) and ast.unparse(node.func) in {"eval", "exec"}
            assert not runs, f"{module.name}:{node.lineno} eval or exec"  # type: ignore[attr-defined]  # a Call


def test_there_is_no_global_statement() -> None:
    found = [
        f"{module.name}:{node.lineno}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Global)
    ]
    assert found == []


def test_modules_are_short() -> None:
    long = {module.name: module.lines for module in modules().values() if module.lines > MODULE_LINES}
    assert {name: lines for name, lines in long.items() if name not in LONG_MODULES} == {}, f"over {MODULE_LINES} lines"
    assert set(LONG_MODULES) <= set(long), "listed, and short enough by now"


def test_functions_are_seen_at_once() -> None:
    long = [
        f"{module.name}.{node.name}: {node.end_lineno - node.lineno + 1}"
        for module in modules().values()
        if not any(is_under(module.name, place) for place in LONG_FUNCTIONS)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == [], f"more than {FUNCTION_LINES} lines"


def test_no_import_is_hidden_in_a_function() -> None:
    hidden = {module.name for module in modules().values() if any(found.late for found in module.imports)}
    assert hidden - set(LATE_IMPORTS) == set()
    assert set(LATE_IMPORTS) - hidden == set(), "listed, and hides nothing any more"


def test_there_is_no_import_cycle() -> None:
    graph = {
        module.name: {house_module(found.module) for found in module.imports if not found.late} - {"", module.name}
        for module in modules().values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


def loaded_by(imported: str) -> set[str]:
    code = f"import sys, {imported}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("name", LIGHT)
def test_listener_sender_and_status_load_nothing_heavy(name: str) -> None:
    assert loaded_by(name) & HEAVY == set()


@pytest.mark.parametrize("name", HEADERS_ONLY)
def test_headers_are_read_with_pydicom_and_numpy_alone(name: str) -> None:
    assert loaded_by(name) & (HEAVY | {"pynetdicom", "sqlalchemy", "pydantic"}) == set()


MIRRORED_OTHERWISE = {
    "node.main": "of node.__main__",
    "pipelines.shipped_bundles": "of the files in pipelines/bundles, which are data",
    "dicom_templates.wrong_inputs": "of all templates together, given the same bad input",
    "dicom_templates.side_by_side": "of page and report together, as two systems fill them",
}


def test_tests_mirror_the_source() -> None:
    strays = []
    for package in PACKAGES:
        for path in sorted((REPOSITORY / "tests" / package).rglob("test_*.py")):
            parts = path.relative_to(REPOSITORY / "tests").with_suffix("").parts
            name = ".".join((*parts[:-1], parts[-1].removeprefix("test_")))
            if name not in modules() and name not in MIRRORED_OTHERWISE:
                strays.append(str(path.relative_to(REPOSITORY)))
    assert strays == [], "no module of that name: put the test beside its source's mirror"


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.name for module in modules().values() if module.lines and not ast.get_docstring(module.tree)]
    assert silent == []


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process: nothing to share")
def test_workers_are_told_which_tests_belong_together(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells them by the end of a test's name; unheard, every worker sets up every fixture anew."""
    assert request.node.nodeid.endswith("@tests/test_house.py")
