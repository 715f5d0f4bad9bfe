"""`restage clinical`: import a table of clinical values, show what is known of a patient, print an empty table."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from node.config import Config, load_config
from node.errors import NotFound
from node.logs import configure_logs

# What opens the database is imported where it is needed, as in node.__main__.

app = typer.Typer(help="Clinical values: CEA, stages, therapy, pathology.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The node's config.toml.", metavar="FILE")]
DEFAULT_CONFIG = Path("config.toml")
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

    settings = _configured(config)
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

    with opened(_configured(config)) as (database, _), database.reading() as connection:
        rows = rows_of(connection, patient_id)
    if not rows:
        raise NotFound(f"no clinical value of patient {patient_id!r} was ever imported")
    cells = [("item", "value", "of", "imported from", "at (UTC)", "issuer", ""), *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def template() -> None:
    """Print the header of a table (standard output), and what each column takes (standard error)."""
    from node.clinical_file import explanation, header

    typer.echo(header())
    typer.echo(explanation(), err=True)


def _cells(row: Any) -> tuple[str, ...]:
    at = datetime.fromtimestamp(row.imported_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return (row.item, row.value, row.date, row.source, at, row.issuer, "" if row.current else "replaced")


def _configured(path: Path) -> Config:
    config = load_config(path)
    configure_logs(config.logs)
    return config
