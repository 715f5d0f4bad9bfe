"""`restage evaluate`: judge a bundle on a cohort folder and write a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# What loads torch is imported where it runs, as in node.__main__.

UNFIT = 3
_OUT_HELP = "Folder for the report; an earlier report there is replaced, anything else is left alone."
_WORKERS_HELP = "Processes that read exams, and outline them for a segmenter; they change no figure."
_MASKS_HELP = "reader: the readers' masks, or the truth of simulated patients. segmenter: drawn where no reader did."


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")],
    cohort: Annotated[Path, typer.Option(help="Folder with cohort.csv.", metavar="DIR")],
    out: Annotated[Path, typer.Option(help=_OUT_HELP, metavar="REPORT")],
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help=_WORKERS_HELP)] = 1,
    masks: Annotated[str, typer.Option(help=_MASKS_HELP)] = "reader",
) -> None:
    """Judge a bundle on patients with known outcomes: figures, tables, pictures, a page and a PDF to read."""
    from node.progress import bars
    from pipelines.bundle import BundleError
    from pipelines.cohort.read import CohortError
    from pipelines.evaluation.evaluate import Evaluation, ReportHeld
    from pipelines.evaluation.evaluate import evaluate as run

    try:
        with bars() as advance:
            line = run(Evaluation(bundle, cohort, out, device, workers, masks), advance)
    except (BundleError, CohortError, ReportHeld, ValueError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(UNFIT) from None
    typer.echo(line)
    typer.echo(f"report in {out / 'report.html'}")
