"""`restage pseudonym`: which lines of the log are about this patient?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node.config import load_config
from node.pseudonym import Pseudonyms


def pseudonym(
    patient_id: Annotated[str, typer.Argument(help="Patient ID, as the exams have it.")],
    issuer: Annotated[str, typer.Option(help="Issuer of Patient ID, where the exams have one.")] = "",
    config: Annotated[Path, typer.Option("--config", "-c", help="The node's config.toml.", metavar="FILE")] = Path(
        "config.toml"
    ),
) -> None:
    """What this node's logs call a patient: they never have a name or an ID."""
    typer.echo(Pseudonyms(load_config(config).node.data_dir).of(patient_id, issuer))
