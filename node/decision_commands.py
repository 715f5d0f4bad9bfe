"""`restage retry`, `restage pair` and `restage unpair`: a person's decisions."""

from __future__ import annotations

from typing import Annotated

import typer

from node.command import DEFAULT_CONFIG, ConfigOption, configured

# What loads SQLAlchemy is imported where it runs, as in node.__main__.


def retry(
    config: ConfigOption = DEFAULT_CONFIG,
    job: Annotated[int | None, typer.Option(help="Number of one failed job.")] = None,
    delivery: Annotated[int | None, typer.Option(help="Number of one failed or held delivery.")] = None,
    search: Annotated[int | None, typer.Option(help="Number of one search for priors.")] = None,
) -> None:
    """Try again what failed: one job, one delivery, one search for priors, or, without options, everything.

    A delivery that is held, because the archive has its study under another patient, is sent only when it is named.
    """
    from node import jobs, outbox, searches
    from node.app import opened
    from node.decide import retry_all

    with opened(configured(config)) as (database, _):
        if job is not None:
            jobs.retry(database, job)
        if delivery is not None:
            outbox.retry(database, delivery)
        if search is not None:
            searches.retry(database, search)
        if job is None and delivery is None and search is None:
            typer.echo(retry_all(database).told)


def pair(
    baseline: Annotated[str, typer.Argument(help="Study Instance UID of the baseline exam.")],
    restaging: Annotated[str, typer.Argument(help="Study Instance UID of the restaging exam.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Pair two exams by your own decision, whatever dates, names or words say."""
    from node.app import opened
    from node.decide import pair as decide

    with opened(configured(config)) as (database, _):
        decide(database, baseline, restaging)
    typer.echo("noted: the running node plans it within seconds")


def unpair(
    pair_number: Annotated[int, typer.Argument(metavar="PAIR", help="Number of the pair, from `restage status`.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take a pair apart: nothing more of it is scored or sent, and what was sent is withdrawn."""
    from node.app import opened
    from node.decide import unpair as decide

    with opened(configured(config)) as (database, _):
        decide(database, pair_number)
    typer.echo("noted: the running node plans it within seconds")
