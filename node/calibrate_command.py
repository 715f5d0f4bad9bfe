"""`restage calibrate`: set a bundle's probabilities right on patients that it has not learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# What loads torch is imported where it runs, as in node.__main__.

UNFIT = 3
_COHORT_HELP = "Folder with cohort.csv; of patients that the bundle has not learnt from."
_OUT_HELP = "Folder for the calibrated bundle; the bundle itself unless told."
_WORKERS_HELP = "Processes that read exams; they change no figure."


def calibrate(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")],
    cohort: Annotated[Path, typer.Option(help=_COHORT_HELP, metavar="DIR")],
    out: Annotated[Path | None, typer.Option(help=_OUT_HELP, metavar="BUNDLE")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help=_WORKERS_HELP)] = 1,
) -> None:
    """Set a bundle's probabilities, cut-offs and prediction sets right on other patients, a site's own for example.

    Networks stay as they are, and so does who ranks above whom. Judge the result on patients of neither cohort.
    """
    from node.progress import bars
    from pipelines.bundle import BundleError
    from pipelines.calibration.calibrate import Calibration
    from pipelines.calibration.calibrate import calibrate as run
    from pipelines.cohort.read import CohortError

    try:
        with bars() as advance:
            lines = run(Calibration(bundle, cohort, out or bundle, device, workers), advance)
    except (BundleError, CohortError, ValueError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(UNFIT) from None
    typer.echo(lines)
    typer.echo(f"bundle written to {out or bundle}")
