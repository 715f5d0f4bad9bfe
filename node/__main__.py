"""The command line. Each verb reads its arguments, calls one function, and says in its exit code how it went.

Exit codes: 0 done; 1 done, and something needs attention; 2 the command or the configuration is wrong;
3 the input cannot be used, and the reason was printed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from dicom_templates.kinds import Item
from node import (
    calibrate_command,
    clinical_commands,
    decision_commands,
    evaluate_command,
    fsck_command,
    pseudonym_command,
)
from node.command import DEFAULT_CONFIG, ConfigOption, configured
from node.config import Config
from node.errors import ConfigError, RestageError
from pipelines.contract import InputUnfit

# What only some verbs need (torch, MONAI, highdicom: seconds of import and 0.4 GB) is imported where they run:
# `serve` answers within two seconds because of it, and `status` does at once.

ATTENTION, USAGE, UNFIT = 1, 2, 3

app = typer.Typer(
    help="DICOM-native PACS integration node for rectal cancer MRI. Research use only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(clinical_commands.app, name="clinical")
app.command()(evaluate_command.evaluate)
app.command()(calibrate_command.calibrate)
app.command()(decision_commands.retry)
app.command()(decision_commands.pair)
app.command()(decision_commands.unpair)
app.command()(fsck_command.fsck)
app.command()(pseudonym_command.pseudonym)
console = Console()
errors = Console(stderr=True, soft_wrap=True, highlight=False)

_REPORT_HELP = "Rates, overlap, oracle and pictures, in DIR/report; without --patients of the cohort there."
_PROCESSES_HELP = "Processes; unless told one per core, at most 4, for 10 patients each. They change no byte."
_SITES_HELP = "Hospitals: A, B, C unless told; D has patients only where it is named."
_CLINICAL_HELP = "Table of clinical values, as `restage clinical import` takes it; the patient's are used."
_IMAGENET_HELP = "torchvision's checkpoint to start from (resnet18-f37072fd.pth), or FILE:SHA256; with --published."
_OBJECTS_HELP = f"Objects to make, with commas between: {', '.join(Item)}."


@app.command()
def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    worker: Annotated[bool, typer.Option(help="Run a scoring worker too.")] = True,
) -> None:
    """Run the node: listener, clock, sender and a scoring worker. One command is enough."""
    from node.app import serve as run

    run(configured(config), config.resolve(), with_worker=worker)


@app.command()
def work(
    config: ConfigOption = DEFAULT_CONFIG,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run one more scoring worker beside a node that serves."""
    from node.app import work as run

    run(configured(config), config.resolve(), parent=parent)


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Commissioning doctor: what is wrong with the set-up, on which side, peer by peer. Exit code 1 if anything is."""
    from node.check import check as findings_of
    from node.check import render

    findings = []
    for finding in findings_of(configured(config)):
        console.print(render(finding))
        findings.append(finding)
    if any(finding.failed for finding in findings):
        raise typer.Exit(ATTENTION)


@app.command()
def status(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Plain data for programs.")] = False,
) -> None:
    """What was received, paired, scored and delivered, per patient, and the reason for all that waits."""
    from node.app import opened
    from node.status import read_status, render_status

    with opened(configured(config)) as (database, _):
        found = read_status(database)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        console.print(render_status(found))


@app.command()
def score(
    out: Annotated[Path, typer.Option(help="Folder for the results.", metavar="DIR")],
    baseline: Annotated[Path | None, typer.Option(help="Folder with the baseline exam.", metavar="DIR")] = None,
    restaging: Annotated[Path | None, typer.Option(help="Folder with the restaging exam.", metavar="DIR")] = None,
    objects: Annotated[str, typer.Option(help=_OBJECTS_HELP, metavar="LIST")] = "report,seg,summary",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help=escape("Take [scoring] and [[series_rule]] from here."))
    ] = None,
    clinical: Annotated[Path | None, typer.Option(help=_CLINICAL_HELP, metavar="FILE.csv")] = None,
) -> None:
    """Score the exams in two folders, without a PACS: the same findings as the node's for the same files."""
    from node.folders import Reading, Wanted, score_folders
    from pipelines.bundle import BundleError
    from pipelines.models import load_models

    if baseline is None and restaging is None:
        raise typer.BadParameter("name at least one exam: --baseline DIR, --restaging DIR")
    try:
        items = frozenset(Item(name.strip()) for name in objects.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"--objects: {error}; allowed: {', '.join(Item)}") from error
    settings = configured(config) if config else Config()
    scoring = settings.scoring
    try:
        with console.status("loading models"):
            models = load_models(settings.bundles_dir, scoring.systems, scoring.device)
    except (BundleError, ValueError) as error:
        _leave(str(error), USAGE)
    with console.status("scoring"):
        reading = Reading(scoring.roi_pattern, settings.site_rules, clinical)
        result = score_folders(baseline, restaging, Wanted(out, items), models, reading)
    typer.echo(result.report)


@app.command()
def classify(
    folder: Annotated[Path, typer.Argument(help="Folder with DICOM files, at any depth.", metavar="DIR")],
    as_json: Annotated[bool, typer.Option("--json", help="Plain data for programs.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help=escape("Take [[series_rule]] from here."))
    ] = None,
) -> None:
    """What each series is: role, b-values, confidence and reason; what is no DICOM is named."""
    from node.classified import classify_folder, render_classified

    found = classify_folder(folder, configured(config).site_rules if config else ())
    if as_json:
        typer.echo(json.dumps([role.as_json() for role in found.roles], indent=1))
    else:
        console.print(render_classified(found))
    for skipped in found.skipped:
        errors.print(f"skipped {skipped.path}: {skipped.reason}", markup=False)


@app.command()
def phantom(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the cohort.", metavar="DIR")],
    patients: Annotated[int | None, typer.Option(min=1, help="How many patients; 20 unless told.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same cohort.")] = 1,
    sites: Annotated[str, typer.Option(help=_SITES_HELP, metavar="A,B,…")] = "",
    preset: Annotated[str, typer.Option(help="small (quick) or full (clinical matrices).")] = "small",
    workers: Annotated[int | None, typer.Option(min=1, help=_PROCESSES_HELP)] = None,
    report: Annotated[bool, typer.Option("--report", help=_REPORT_HELP)] = False,
) -> None:
    """Write a synthetic cohort with a known truth: DICOM exams and cohort.csv. Another cohort there is left alone."""
    from node.progress import bars
    from pipelines.phantom.cohort import PRESETS, CohortHeld, choose_sites, write_cohort
    from pipelines.phantom.report import write_report

    if preset not in PRESETS:
        raise typer.BadParameter(f"--preset: {preset}; allowed: {', '.join(PRESETS)}")
    try:
        chosen = choose_sites(sites)
    except ValueError as error:
        raise typer.BadParameter(f"--sites: {error}") from error
    if report_alone := report and patients is None:
        _refuse_options(context, ("seed", "sites", "preset", "workers"))
        if not (out / "cohort.csv").exists():
            _leave(f"{out}: no cohort.csv to report on; --patients N writes a cohort", UNFIT)
    with bars() as advance:
        if not report_alone:
            count, told = patients or 20, partial(advance, "patients")
            processes = workers or _processes(count)
            try:
                write_cohort(out, count, seed, preset=PRESETS[preset], sites=chosen, workers=processes, progress=told)
            except CohortHeld as held:
                _leave(str(held), UNFIT)
            console.print(f"{count} patients in {out}", markup=False)
        if report:
            try:
                page = write_report(out, partial(advance, "report"))
            except ValueError as error:
                _leave(str(error), UNFIT)
            console.print(f"report in {page}", markup=False)


@app.command()
def train(
    system: Annotated[str, typer.Argument(help="segmenter, signature_svm, rp_net, multi_rec_net or dlrs_nomogram.")],
    cohort: Annotated[Path, typer.Option(help="Folder with cohort.csv.", metavar="DIR")],
    out: Annotated[Path, typer.Option(help="Folder for the bundle.", metavar="BUNDLE")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bundle on the same machine.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that read the exams; they change no byte.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch; another number, other last digits.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    published: Annotated[bool, typer.Option("--published", help="Networks of the paper's size.")] = False,
    paper_mode: Annotated[bool, typer.Option("--paper-mode", help="The paper's way where ours differs.")] = False,
    imagenet: Annotated[str | None, typer.Option(help=_IMAGENET_HELP, metavar="FILE")] = None,
) -> None:
    """Train a system on a cohort folder (the phantom's or your own) and write its bundle.

    Stopped or killed, it goes on where it was when the same command is given again.
    """
    from node.progress import bars
    from pipelines.bundle import BundleError
    from pipelines.cohort.read import CohortError
    from pipelines.models import choose_device
    from pipelines.training.curves import curves_file
    from pipelines.training.settings import TrainingSettings
    from pipelines.training.train import train as run

    try:
        chosen = str(choose_device(device))
        settings = TrainingSettings(seed, threads, workers, chosen, paper_mode, imagenet, published)
        with bars() as advance:
            run(system, cohort, out, settings, advance)
    except (BundleError, CohortError, ValueError) as error:
        _leave(str(error), UNFIT)
    except KeyboardInterrupt:
        _leave(f"stopped; the same command goes on where it was ({out}.training holds the networks)", ATTENTION)
    console.print(f"bundle written to {out}; its learning curves are {curves_file(out)}", markup=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results; made anew.", metavar="DIR")] = Path("demo"),
) -> None:
    """The whole node on four synthetic patients that training never saw, with a PACS stand-in, on this machine."""
    from node.demo import demo as run

    run(out, console)


def _processes(patients: int) -> int:
    """A process takes seconds to start, as long as a few patients take."""
    return max(1, min(os.cpu_count() or 1, 4, patients // 10))


def _refuse_options(context: typer.Context, names: Sequence[str]) -> None:
    """Options that say what a cohort is made like, given where none is made."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"--{name} says what is written, and --report without --patients writes no cohort")


def main() -> None:
    """Entry point of the command ``restage``: every expected error is one line and an exit code, never a traceback."""
    try:
        app(standalone_mode=True)
    except ConfigError as error:
        _leave(str(error), USAGE)
    except InputUnfit as unfit:
        _leave(str(unfit), UNFIT)
    except RestageError as error:
        _leave(str(error), ATTENTION)
    except OSError as error:
        _leave(f"{error.filename}: {error.strerror}" if error.filename else str(error), ATTENTION)


def _leave(message: str, code: int) -> NoReturn:
    errors.print(message, style="red", markup=False)
    sys.exit(code)


if __name__ == "__main__":
    main()
