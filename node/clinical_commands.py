"""`restage clinical`: import clinical values, show a patient's, take one back, print an empty table."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from node.command import DEFAULT_CONFIG, ConfigOption, configured
from node.errors import NotFound

# What opens the database is imported where it is needed, as in node.__main__.

app = typer.Typer(help="Clinical values: CEA, stages, therapy, pathology.", no_args_is_help=True)

SHOWN = 20  # patients or replaced values that are named one by one


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="UTF-8 CSV, one row per patient and date.", metavar="FILE.csv")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take over a table of clinical values, all of it or nothing; whatever they change is scored again."""
    from node.app import opened
    from node.clinical import import_values
    from node.clinical_file import counted, read_table

    settings = configured(config)
    values = read_table(file, date.today())
    with opened(settings) as (database, _):
        done = import_values(database, values)
    typer.echo(
        f"{counted(done.values, 'value')} of {counted(done.patients, 'patient')}: {done.new} new, "
        f"{len(done.replaced)} of them in place of another value; {done.values - done.new} known already"
    )
    for one in done.replaced[:SHOWN]:
        typer.echo(f"  {one.patient_id}  {one.item} of {one.on}: {one.new} in place of {one.old}")
    if len(done.replaced) > SHOWN:
        typer.echo(f"  and {len(done.replaced) - SHOWN} more")
    if done.unknown:
        more = f" and {len(done.unknown) - SHOWN} more" if len(done.unknown) > SHOWN else ""
        names = ", ".join(done.unknown[:SHOWN])
        typer.echo(f"{counted(len(done.unknown), 'patient')} without an exam here yet; the values wait: {names}{more}")


@app.command()
def show(
    patient_id: Annotated[str, typer.Argument(help="PatientID, as in `restage status`.", metavar="PATIENT_ID")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """What was imported of a patient: values with their dates, where and when they came from, what they replaced."""
    from node.app import opened
    from node.clinical import rows_of
    from node.clinical_retraction import retracted

    with opened(configured(config)) as (database, _), database.reading() as connection:
        rows = rows_of(connection, patient_id)
    if not rows:
        raise NotFound(f"no clinical value of patient {patient_id!r} was ever imported")
    gone = retracted(rows)
    cells = [("item", "value", "of", "imported from", "at (UTC)", "issuer", ""), *(_cells(row, gone) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def retract(
    patient_id: Annotated[str, typer.Argument(help="PatientID, as in `restage status`.", metavar="PATIENT_ID")],
    item: Annotated[str, typer.Argument(help="The column, as `restage clinical show` names it.", metavar="ITEM")],
    on: Annotated[str, typer.Option("--date", help="YYYY-MM-DD of the value; default: all days.", metavar="D")] = "",
    issuer: Annotated[
        str | None, typer.Option(help="IssuerOfPatientID, where several have this ID.", metavar="I")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take back what was imported of a patient by mistake: it stays as history and no longer counts, and the patient is
    planned and, where that changes a result, scored again. A value that it had replaced does not come back: import it.
    """
    from node.app import opened
    from node.clinical_file import counted
    from node.clinical_retraction import Named, retract
    from pipelines.clinical.items import ClinicalUnfit, read_day

    try:
        named = Named(patient_id, item, read_day(on) if on else None, issuer)
    except ClinicalUnfit as unfit:
        raise typer.BadParameter(f"--date: {unfit}") from unfit
    with opened(configured(config)) as (database, _):
        rows = retract(database, named)
    typer.echo(f"{counted(len(rows), 'value')} of patient {patient_id} taken back:")
    for row in rows:
        typer.echo(f"  {row.item} {row.value} of {row.date}, imported from {row.source}")


@app.command()
def template() -> None:
    """Print the header of a table (standard output), and what each column takes (standard error)."""
    from node.clinical_file import explanation, header

    typer.echo(header())
    typer.echo(explanation(), err=True)


def _cells(row: Any, gone: Collection[int]) -> tuple[str, ...]:
    at = datetime.fromtimestamp(row.imported_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    fate = "" if row.current else "retracted" if row.id in gone else "replaced"
    return (row.item, row.value, row.date, row.source, at, row.issuer, fate)
